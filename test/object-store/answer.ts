/** What S3 answers to one request that is signed; path style, one bucket, no versions. */
import { createHash } from 'node:crypto';
import { listObjects, putObject, readObject, removeObject } from './objects.ts';
import type { SignedRequest } from './signature.ts';
import { abortUpload, beginUpload, completeUpload, putPart } from './uploads.ts';

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
}

interface Bucket {
  readonly name: string;
  readonly directory: string;
}

const pageSize = 1_000;

function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

function unescapeXml(text: string): string {
  const named: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };
  return text
    .replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
    .replace(/&(lt|gt|quot|apos|amp);/g, (_, name) => named[name] ?? '');
}

function xml(status: number, text: string): Answer {
  return {
    status,
    headers: { 'content-type': 'application/xml' },
    body: `<?xml version="1.0" encoding="UTF-8"?>\n${text}`,
  };
}

export function refuse({ status, code }: { readonly status: number; readonly code: string }): Answer {
  return xml(status, `<Error><Code>${code}</Code><Message>${code}</Message></Error>`);
}

const missing = refuse({ status: 404, code: 'NoSuchKey' });

function list(bucket: Bucket, query: URLSearchParams): Answer {
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  const after = Buffer.from(query.get('continuation-token') ?? '', 'base64url').toString();
  const entries = new Map<string, string>();
  for (const { key, size, modified } of listObjects(bucket.directory, prefix)) {
    const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    const name = end === -1 ? key : key.slice(0, end + delimiter.length);
    if (name <= after || entries.has(name)) continue;
    const text =
      end === -1
        ? `<Contents><Key>${escapeXml(key)}</Key><LastModified>${modified.toISOString()}</LastModified><Size>${size}</Size></Contents>`
        : `<CommonPrefixes><Prefix>${escapeXml(name)}</Prefix></CommonPrefixes>`;
    entries.set(name, text);
  }
  const page = [...entries].slice(0, pageSize);
  const isTruncated = entries.size > pageSize;
  const token = Buffer.from(page.at(-1)?.[0] ?? '').toString('base64url');
  const next = isTruncated ? `<NextContinuationToken>${token}</NextContinuationToken>` : '';
  return xml(
    200,
    `<ListBucketResult><Name>${bucket.name}</Name><IsTruncated>${isTruncated}</IsTruncated>${next}${page.map(([, text]) => text).join('')}</ListBucketResult>`,
  );
}

function removeMany(bucket: Bucket, { headers, body }: SignedRequest): Answer {
  if (headers['content-md5'] !== createHash('md5').update(body).digest('base64')) {
    return refuse({ status: 400, code: 'BadDigest' });
  }
  for (const [, key = ''] of body.toString().matchAll(/<Key>([^<]*)<\/Key>/g)) {
    removeObject(bucket.directory, unescapeXml(key));
  }
  return xml(200, '<DeleteResult></DeleteResult>');
}

function get(bucket: Bucket, key: string, request: SignedRequest): Answer {
  const object = readObject(bucket.directory, key);
  if (object === null) return missing;
  const headers = { 'last-modified': object.modified.toUTCString(), 'content-type': 'application/octet-stream' };
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  if (first === undefined) return { status: 200, headers, body: object.body };
  const end = last === undefined || last === '' ? object.body.length : Number(last) + 1;
  if (Number(first) >= object.body.length) return refuse({ status: 416, code: 'InvalidRange' });
  const body = object.body.subarray(Number(first), end);
  const range = `bytes ${first}-${Number(first) + body.length - 1}/${object.body.length}`;
  return { status: 206, headers: { ...headers, 'content-range': range }, body };
}

function put(bucket: Bucket, key: string, query: URLSearchParams, { body }: SignedRequest): Answer {
  const upload = query.get('uploadId');
  if (upload === null) return { status: 200, headers: { etag: `"${putObject(bucket.directory, key, body)}"` } };
  const etag = putPart(bucket.directory, upload, Number(query.get('partNumber')), body);
  return etag === null
    ? refuse({ status: 404, code: 'NoSuchUpload' })
    : { status: 200, headers: { etag: `"${etag}"` } };
}

function post(bucket: Bucket, key: string, query: URLSearchParams, { body }: SignedRequest): Answer {
  if (query.has('uploads')) {
    const id = beginUpload(bucket.directory);
    return xml(
      200,
      `<InitiateMultipartUploadResult><Key>${escapeXml(key)}</Key><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
    );
  }
  const parts = [...body.toString().matchAll(/<PartNumber>(\d+)<\/PartNumber>/g)].map(([, number]) => Number(number));
  return completeUpload(bucket.directory, query.get('uploadId') ?? '', key, parts)
    ? xml(
        200,
        `<CompleteMultipartUploadResult><Key>${escapeXml(key)}</Key><ETag>"${parts.length}"</ETag></CompleteMultipartUploadResult>`,
      )
    : refuse({ status: 404, code: 'NoSuchUpload' });
}

export function answer(bucket: Bucket, request: SignedRequest): Answer {
  const [, name = '', ...rest] = request.path.split('/').map((segment) => decodeURIComponent(segment));
  const key = rest.join('/');
  const query = new URLSearchParams(request.query);
  if (name !== bucket.name) return refuse({ status: 404, code: 'NoSuchBucket' });
  if (key === '') {
    if (request.method === 'GET') return list(bucket, query);
    if (request.method === 'POST' && query.has('delete')) return removeMany(bucket, request);
    return refuse({ status: 501, code: 'NotImplemented' });
  }
  switch (request.method) {
    case 'GET':
    case 'HEAD':
      return get(bucket, key, request);
    case 'PUT':
      return put(bucket, key, query, request);
    case 'POST':
      return post(bucket, key, query, request);
    case 'DELETE':
      if (query.has('uploadId')) abortUpload(bucket.directory, query.get('uploadId') ?? '');
      else removeObject(bucket.directory, key);
      return { status: 204 };
    default:
      return refuse({ status: 405, code: 'MethodNotAllowed' });
  }
}
