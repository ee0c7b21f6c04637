/**
 * The directory of an audit log, as the log writes it: at the end of the newest file, in a new one when that is full.
 *
 * Invariant: only whole texts are ever added, and what of one could be written before the disk was full is cut off again.
 * Files have mode 0600.
 */
import {
  closeSync,
  constants,
  fdatasync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  statSync,
  write,
} from 'node:fs';
import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { AuditHead } from '../core/audit-anchor.ts';
import {
  type AuditFile,
  type AuditPiece,
  endOf,
  type FileEnd,
  fileNameOf,
  firstLineOf,
  firstSequenceOf,
  namesIn,
  readPiece,
} from './files.ts';
import { beginning, hashOf, parseLine } from './line.ts';

export interface AuditDirectoryLimits {
  /** A file that has so many bytes is followed by another. */
  readonly fileBytes: number;
  readonly files: number;
}

/** 64 MiB in all: some hundred thousand lines. */
export const usualAuditLimits: AuditDirectoryLimits = { fileBytes: 4 * 1024 * 1024, files: 16 };

/** What it does to its files, so that tests can have a disk that is full. */
export interface AuditIo {
  write(fd: number, data: Buffer, offset: number, length: number, position: number): Promise<number>;
  sync(fd: number): Promise<void>;
}

const syncData = promisify(fdatasync);
const realIo: AuditIo = {
  write: (fd, data, offset, length, position) =>
    new Promise((resolve, reject) => {
      write(fd, data, offset, length, position, (error, written) =>
        error === null ? resolve(written) : reject(error),
      );
    }),
  sync: (fd) => syncData(fd),
};

export interface Found {
  readonly head: AuditHead;
  /** Wall clock of the last line. */
  readonly lastAt: string | null;
  readonly torn: FileEnd['torn'];
}

interface OpenFile {
  readonly fd: number;
  readonly path: string;
  bytes: number;
}

export class AuditDirectory {
  readonly #path: string;
  readonly #limits: AuditDirectoryLimits;
  readonly #io: AuditIo;
  #current: OpenFile | null = null;

  constructor(path: string, limits: AuditDirectoryLimits = usualAuditLimits, io: AuditIo = realIo) {
    this.#path = path;
    this.#limits = limits;
    this.#io = io;
  }

  get isFull(): boolean {
    return this.#current !== null && this.#current.bytes >= this.#limits.fileBytes;
  }

  /** Finds where the log ended, cuts off a line that has no end, and goes on there. Throws as `openSync` does. */
  open(): Found {
    mkdirSync(this.#path, { recursive: true, mode: 0o700 });
    const names = [...namesIn(this.#path)];
    const newest = names.at(-1) ?? fileNameOf(1);
    this.#use(newest, constants.O_CREAT);
    if (names.length === 0) return { head: beginning, lastAt: null, torn: null };
    const end = endOf(join(this.#path, newest));
    if (this.#current !== null && end.torn !== null) ftruncateSync(this.#current.fd, end.bytes);
    if (this.#current !== null) this.#current.bytes = end.bytes;
    const before = names.at(-2);
    // A crash may have left nothing of a new file but its name.
    const isEmpty = end.bytes === 0 && before !== undefined;
    return { ...lastOf(isEmpty ? endOf(join(this.#path, before)).lines : end.lines), torn: end.torn };
  }

  /** Throws what the disk says; then nothing of it stands there. */
  async append(text: string): Promise<void> {
    const current = this.#current;
    if (current === null) throw new Error('the audit log is closed');
    const data = Buffer.from(text, 'utf8');
    let done = 0;
    try {
      while (done < data.length) {
        const written = await this.#io.write(current.fd, data, done, data.length - done, current.bytes + done);
        if (written === 0) throw new Error('nothing could be written');
        done += written;
      }
    } catch (error) {
      if (done > 0) ftruncateSync(current.fd, current.bytes);
      throw error;
    }
    current.bytes += data.length;
  }

  async sync(): Promise<void> {
    if (this.#current !== null) await this.#io.sync(this.#current.fd);
  }

  /** Is the file that is written still the one of that name? */
  isInPlace(): boolean {
    if (this.#current === null) return true;
    const named = statSync(this.#current.path, { throwIfNoEntry: false });
    return named !== undefined && named.ino === fstatSync(this.#current.fd).ino;
  }

  /** From here on lines go to a new file. */
  async begin(firstSequence: number): Promise<void> {
    await this.sync();
    this.#use(fileNameOf(firstSequence), constants.O_CREAT | constants.O_EXCL);
  }

  /** The oldest file when there are too many, with the last line that is in it, and how many may be there. */
  surplus(): { readonly file: string; readonly through: AuditHead; readonly kept: number } | null {
    const names = namesIn(this.#path);
    const [file, next] = names;
    if (names.length <= this.#limits.files || file === undefined || next === undefined) return null;
    const first = parseLine(firstLineOf(join(this.#path, next)) ?? '');
    if (first === null) return null;
    return { file, through: { sequence: first.sequence - 1, hash: first.previous }, kept: this.#limits.files };
  }

  async remove(file: string): Promise<void> {
    await unlink(join(this.#path, file));
  }

  files(): readonly AuditFile[] {
    return namesIn(this.#path).map((file) => ({ file, bytes: this.#endOf(file) }));
  }

  /** Throws NOT_FOUND. */
  async read(file: string, offset: number): Promise<AuditPiece> {
    const known = namesIn(this.#path).find((name) => name === file);
    return known === undefined
      ? { text: '', next: null }
      : await readPiece(join(this.#path, known), offset, this.#endOf(known));
  }

  /** Of a line that stands in a file; `null`: none such does. */
  async hashAt(sequence: number): Promise<string | null> {
    const file = namesIn(this.#path).findLast((name) => (firstSequenceOf(name) ?? Infinity) <= sequence);
    if (file === undefined) return null;
    let number = firstSequenceOf(file) ?? 0;
    for (let offset: number | null = 0; offset !== null; ) {
      const piece: AuditPiece = await this.read(file, offset);
      for (const line of piece.text.split('\n').slice(0, -1)) {
        if (number === sequence) return hashOf(line);
        number += 1;
      }
      offset = piece.next;
    }
    return null;
  }

  close(): void {
    if (this.#current !== null) closeSync(this.#current.fd);
    this.#current = null;
  }

  #use(name: string, flags: number): void {
    const path = join(this.#path, name);
    const fd = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW | flags, 0o600);
    this.close();
    this.#current = { fd, path, bytes: fstatSync(fd).size };
  }

  /** What is being written now is not shown before it is whole. */
  #endOf(file: string): number {
    const path = join(this.#path, file);
    const bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    return this.#current?.path === path ? Math.min(bytes, this.#current.bytes) : bytes;
  }
}

/** Lines that make no sense are left for whoever verifies; the log goes on after them. */
function lastOf(lines: readonly string[]): Omit<Found, 'torn'> {
  for (let behind = 0; behind < lines.length; behind += 1) {
    const line = parseLine(lines.at(-1 - behind) ?? '');
    if (line === null) continue;
    return { head: { sequence: line.sequence + behind, hash: hashOf(lines.at(-1) ?? '') }, lastAt: line.at };
  }
  return { head: beginning, lastAt: null };
}
