/**
 * An S3 server of its own process, for tests and measurements: `node serve.cjs FILE`, with its configuration in FILE. HTTPS only, with
 * one key, and every signature is checked.
 */
const { AsyncLocalStorage } = require('node:async_hooks');
const { readFileSync } = require('node:fs');
const S3rver = require('@20minutes/s3rver');
const accounts = require('@20minutes/s3rver/lib/models/account');
const FilesystemStore = require('@20minutes/s3rver/lib/stores/filesystem');
const signatures = require('@20minutes/s3rver/lib/signature/v4');

const facts = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const { address, port, bucket, directory, certificate, key, credentials } = facts;
accounts.DUMMY_ACCOUNT.revokeAccessKey('S3RVER');
accounts.DUMMY_ACCOUNT.createKeyPair(credentials.key, credentials.keySecret);

// The server puts the path together anew from bucket and key, and so loses the slash behind a bucket alone: but what was signed is the
// path as it was sent (AWS, "Signature Calculations for the Authorization Header", CanonicalURI).
const paths = new AsyncLocalStorage();
const stringToSign = signatures.getStringToSign;
signatures.getStringToSign = (request, how) => stringToSign({ ...request, uri: paths.getStore() ?? request.uri }, how);

// It looks for common prefixes in one directory alone, and so misses those that have nothing but directories in them.
const listAll = FilesystemStore.prototype.listObjects;
FilesystemStore.prototype.listObjects = async function listObjects(bucket, { delimiter, ...options }) {
  if (!delimiter) return await listAll.call(this, bucket, options);
  const { prefix = '' } = options;
  const found = await listAll.call(this, bucket, { ...options, maxKeys: Number.POSITIVE_INFINITY });
  const restOf = ({ key }) => key.slice(prefix.length);
  const commonPrefixes = found.objects.flatMap((object) => {
    const end = restOf(object).indexOf(delimiter);
    return end < 0 ? [] : [object.key.slice(0, prefix.length + end + delimiter.length)];
  });
  const objects = found.objects.filter((object) => !restOf(object).includes(delimiter));
  return { objects, commonPrefixes: [...new Set(commonPrefixes)].sort(), isTruncated: false };
};

class ObjectStore extends S3rver {
  callback() {
    const answer = super.callback();
    return (request, response) => paths.run(request.url.split('?')[0], () => answer(request, response));
  }
}

new ObjectStore({
  address,
  port,
  directory,
  silent: true,
  vhostBuckets: false,
  cert: readFileSync(certificate),
  key: readFileSync(key),
  configureBuckets: [{ name: bucket, configs: [] }],
}).run();
