/**
 * What a person would check first on a node that misbehaves: programs and their versions, files and their modes,
 * certificates, disk, clock, limits. Reads only; changes nothing.
 */
import { statfs } from 'node:fs/promises';
import { readFileSync, statSync } from 'node:fs';
import type { DoctorFinding } from '../api/contract.ts';
import type { NodeFile } from '../config/node-file.ts';
import { describeError } from '../errors/understudy-error.ts';
import { describeCertificate } from '../pki/description.ts';
import { bad, ok } from './finding.ts';
import { checkPrograms } from './programs.ts';

const lowDiskBytes = 1024 * 1024 * 1024;
/** A socket's path may have 107 bytes (unix(7)); PostgreSQL adds its name. */
const longestRunDirectory = 107 - '/.s.PGSQL.65535'.length;
const soonMs = 2 * 86_400_000;

export async function examineNode(file: NodeFile): Promise<readonly DoctorFinding[]> {
  const secrets = [file.tls.key, ...(file.store === null ? [] : [file.store.key, file.store.passwordFile])];
  return [
    ...(await checkPrograms(file)),
    ...secrets.map(checkSecret),
    checkCertificate(file.tls.certificate),
    await checkDisk(file.directories.data),
    checkRunDirectory(file.directories.run),
    checkClock(),
  ];
}

function checkSecret(path: string): DoctorFinding {
  try {
    const mode = statSync(path).mode & 0o777;
    if ((mode & 0o077) === 0) return ok('permissions', `${path} is ${mode.toString(8)}`);
    return bad('permissions', 'failure', `${path} is ${mode.toString(8)}: others can read it`, `chmod 600 ${path}`);
  } catch (error) {
    return bad('permissions', 'failure', describeError(error), 'the file must exist and belong to the agent');
  }
}

function checkCertificate(path: string): DoctorFinding {
  try {
    const { notAfter } = describeCertificate(readFileSync(path, 'utf8'));
    const leftMs = notAfter.getTime() - Date.now();
    const text = `${path} is good until ${notAfter.toISOString()}`;
    if (leftMs <= 0) return bad('certificate', 'failure', text, 'issue a new one');
    return leftMs < soonMs ? bad('certificate', 'warning', text, 'issue a new one soon') : ok('certificate', text);
  } catch (error) {
    return bad('certificate', 'failure', describeError(error), 'the file must hold a certificate in PEM');
  }
}

async function checkDisk(directory: string): Promise<DoctorFinding> {
  const facts = (await statfs(directory).catch(() => null)) ?? (await statfs(`${directory}/..`).catch(() => null));
  if (facts === null) return bad('disk', 'warning', `${directory} does not exist`, 'it is made at the first start');
  const free = facts.bavail * facts.bsize;
  const text = `${(free / 1024 ** 3).toFixed(1)} GiB free for ${directory}`;
  return free < lowDiskBytes ? bad('disk', 'warning', text, 'a full disk stops PostgreSQL: free some space') : ok('disk', text);
}

function checkRunDirectory(run: string): DoctorFinding {
  const bytes = Buffer.byteLength(run);
  const text = `${run} has ${bytes} bytes`;
  if (bytes <= longestRunDirectory) return ok('socket path', text);
  return bad('socket path', 'failure', text, `choose a run directory of at most ${longestRunDirectory} bytes`);
}

/** The lease rests on boottime alone; a wall clock before this software was written spoils certificates. */
function checkClock(): DoctorFinding {
  const year = new Date().getUTCFullYear();
  const text = `the wall clock says ${new Date().toISOString()}`;
  return year < 2026 ? bad('clock', 'failure', text, 'set the clock; certificates depend on it') : ok('clock', text);
}
