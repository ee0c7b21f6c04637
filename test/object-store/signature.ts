/**
 * Whether a request was signed with one of the keys (AWS Signature Version 4, as S3 asks for it: the payload's hash is a header).
 *
 * Invariant: nothing that is not signed, by a key that is known, for this region and lately, is let in.
 */
import { createHash, createHmac } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

export interface SignedRequest {
  readonly method: string;
  /** As they were sent, still encoded. */
  readonly path: string;
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface AccessKey {
  readonly key: string;
  readonly keySecret: string;
}

export interface Refusal {
  readonly status: number;
  readonly code: string;
}

const maxSkewMs = 15 * 60_000;

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

/** `20261122T073000Z`, in ms. */
function timeOf(stamp: string): number {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(stamp) ?? [];
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

function canonicalQuery(query: string): string {
  return query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => (pair.includes('=') ? pair : `${pair}=`))
    .sort()
    .join('&');
}

/** `null`: it is good. */
export function refusalOf(request: SignedRequest, keys: readonly AccessKey[], region: string): Refusal | null {
  const { headers } = request;
  const parts =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      headers.authorization ?? '',
    );
  const stamp = String(headers['x-amz-date'] ?? '');
  const payload = String(headers['x-amz-content-sha256'] ?? '');
  if (parts === null) return { status: 403, code: 'AccessDenied' };
  const [, id = '', day = '', signedRegion = '', signedHeaders = '', signature] = parts;
  const access = keys.find(({ key }) => key === id);
  if (access === undefined) return { status: 403, code: 'InvalidAccessKeyId' };
  if (signedRegion !== region) return { status: 400, code: 'AuthorizationHeaderMalformed' };
  if (!(Math.abs(Date.now() - timeOf(stamp)) < maxSkewMs)) return { status: 403, code: 'RequestTimeTooSkewed' };
  const names = signedHeaders.split(';');
  if (!['host', 'x-amz-content-sha256', 'x-amz-date'].every((name) => names.includes(name))) {
    return { status: 403, code: 'AccessDenied' };
  }
  const lines = names.map((name) => `${name}:${String(headers[name] ?? '').trim()}\n`).join('');
  const canonical = [request.method, request.path, canonicalQuery(request.query), lines, signedHeaders, payload];
  const text = ['AWS4-HMAC-SHA256', stamp, `${day}/${region}/s3/aws4_request`, sha256(canonical.join('\n'))].join('\n');
  const key = hmac(hmac(hmac(hmac(`AWS4${access.keySecret}`, day), region), 's3'), 'aws4_request');
  if (hmac(key, text).toString('hex') !== signature) return { status: 403, code: 'SignatureDoesNotMatch' };
  if (payload !== sha256(request.body)) return { status: 400, code: 'XAmzContentSHA256Mismatch' };
  return null;
}
