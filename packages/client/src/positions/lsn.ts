/** A position in the WAL, such as `16/B374D848` (PostgreSQL documentation 8.20); compared as a number. */
declare const lsnBrand: unique symbol;
export type Lsn = bigint & { readonly [lsnBrand]: true };

const pattern = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i;

function isLsn(value: bigint): value is Lsn {
  return value >= 0n && value < 1n << 64n;
}

/** `null` for anything else than a position. */
export function parseLsn(text: unknown): Lsn | null {
  const found = typeof text === 'string' ? pattern.exec(text) : null;
  if (found === null) return null;
  const [, high = '', low = ''] = found;
  const value = (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
  return isLsn(value) ? value : null;
}

export function formatLsn(lsn: Lsn): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffffffffn).toString(16).toUpperCase()}`;
}

/** Bytes from `behind` to `ahead`, 0 when it is not behind. */
export function bytesBetween(behind: Lsn, ahead: Lsn): number {
  return ahead <= behind ? 0 : Number(ahead - behind);
}
