/**
 * Positions in the write-ahead log.
 *
 * An `Lsn` is a byte offset in one timeline's WAL; PostgreSQL writes it as two hexadecimal halves
 * ("16/B374D848", documentation section 8.20 "pg_lsn Type"). Offsets of different timelines must not be
 * compared by this module: a position is only ordered within its timeline.
 */
declare const lsnBrand: unique symbol;
export type Lsn = bigint & { readonly [lsnBrand]: true };

const pattern = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/;

/** Reads PostgreSQL's notation; `undefined` when the text is not a position. */
export function parseLsn(text: string): Lsn | undefined {
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const [, high = '', low = ''] = match;
  return lsnFromOffset((BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`));
}

/** A position from a byte offset, as read from the control file. The one place where an `Lsn` comes to be. */
export function lsnFromOffset(offset: bigint): Lsn {
  // eslint-disable-next-line @typescript-eslint/consistent-type-assertions -- a brand stands in no value: somewhere it must be said
  return BigInt.asUintN(64, offset) as Lsn;
}

export function formatLsn(lsn: Lsn): string {
  const high = (lsn >> 32n).toString(16).toUpperCase();
  const low = (lsn & 0xffff_ffffn).toString(16).toUpperCase();
  return `${high}/${low}`;
}

/** Bytes from `behind` to `ahead`; never negative, since a sampled standby may be read later than its primary. */
export function bytesBehind(ahead: Lsn, behind: Lsn): number {
  return ahead > behind ? Number(ahead - behind) : 0;
}
