/** IP addresses as values: one address has one spelling. */
import { isIP } from 'node:net';

/**
 * RFC 5952's spelling; an IPv4 address mapped into IPv6 is the IPv4 address. `null` when the text is no IPv4 or IPv6
 * literal; zones (`fe80::1%eth0`) mean nothing on another host and are refused.
 */
export function canonicalAddress(text: string): string | null {
  const kind = isIP(text);
  if (kind === 4) return text;
  if (kind !== 6 || text.includes('%')) return null;
  const address = new URL(`http://[${text}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(address);
  if (mapped === null) return address;
  const [high, low] = [Number.parseInt(mapped[1] ?? '', 16), Number.parseInt(mapped[2] ?? '', 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/** Why a canonical address can't be a node's, or `null`. */
export function unusableBecause(address: string): string | null {
  if (/^0\./.test(address) || address === '::') return 'stands for every address of a host, not for one';
  if (/^(22[4-9]|23\d)\./.test(address) || /^ff/.test(address)) return 'is a multicast address';
  if (/^2[4-5]\d\./.test(address)) return 'is not an address of a host';
  if (/^fe[89ab]/.test(address)) return 'is a link-local address, which means something else on every host';
  return null;
}

export function isLoopback(address: string): boolean {
  return /^127\./.test(address) || address === '::1';
}

/** `10.0.1.10:2379`, `[fd00::1]:2379`. */
export function hostAndPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
