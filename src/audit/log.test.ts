import { appendFileSync, chmodSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AuditPlace, auditPlace, linesOf, readChain } from '../../test/fixtures/audit-log.ts';
import type { AuditIo } from './directory.ts';
import { fileNameOf } from './files.ts';
import { chain, parseLine } from './line.ts';

let place: AuditPlace;
beforeEach(() => {
  place = auditPlace();
});
afterEach(() => place.remove());

const written = () => linesOf(place.files());
const kinds = () => written().map(({ text }) => parseLine(text)?.kind);
const full = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });

/** A disk that takes so many bytes more. */
function smallDisk(): { io: AuditIo; room: number } {
  const disk = {
    room: Number.POSITIVE_INFINITY,
    io: {
      async write(fd: number, data: Buffer, offset: number, length: number, position: number): Promise<number> {
        const { write } = await import('node:fs');
        const taken = Math.min(length, disk.room);
        if (taken === 0) throw full;
        disk.room -= taken;
        return await new Promise<number>((resolve, reject) =>
          write(fd, data, offset, taken, position, (error, count) => (error === null ? resolve(count) : reject(error))),
        );
      },
      async sync() {},
    },
  };
  return disk;
}

describe('an audit log', () => {
  it('begins, goes on after a restart, and is for its owner alone', async () => {
    const first = place.open();
    expect(first.record('login', { as: 'operator/ernest', from: '10.0.0.1', serial: '0A' }, {})).toBe(2);
    await first.close();
    const second = place.open();
    expect(second.record('order.reinit', { as: 'operator/ernest' }, {})).toBe(3);
    await second.close();
    expect(kinds()).toEqual(['log.began', 'login', 'order.reinit']);
    expect(readChain(written())).toMatchObject({ findings: [], lines: 3, first: 1, head: { sequence: 3 } });
    expect(statSync(join(place.path, fileNameOf(1))).mode & 0o777).toBe(0o600);
  });

  it('heals a line that a crash cut short, wherever it was cut, and is intact', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (cut) => {
        place.remove();
        const log = place.open();
        for (let line = 0; line < 5; line += 1) log.record('login', { as: 'operator/ernest' }, { line });
        await log.close();
        const path = join(place.path, fileNameOf(1));
        const size = statSync(path).size;
        const last = (written().at(-1)?.text.length ?? 0) + 1;
        const torn = 1 + (cut % (last - 1));
        truncateSync(path, size - torn);
        place.news.length = 0;
        const again = place.open();
        again.record('order.restart', null, {});
        await again.close();
        expect(readChain(written())).toMatchObject({ findings: [], healed: 1 });
        expect(place.news).toEqual([['healed', last - torn]]);
      }),
      { numRuns: 40 },
    );
  });

  it('heals what a loss of power left of a new file', async () => {
    const log = place.open({ limits: { fileBytes: 300, files: 5 } });
    for (let line = 0; line < 3; line += 1) {
      log.record('login', null, { line });
      await new Promise((resolve) => setImmediate(resolve));
    }
    await log.close();
    const names = readdirSync(place.path).sort();
    const newest = names.at(-1) ?? '';
    expect(names.length).toBeGreaterThan(1);
    writeFileSync(join(place.path, newest), '\0\0\0');
    const again = place.open();
    again.record('order.restart', null, {});
    await again.close();
    expect(readChain(written())).toMatchObject({ findings: [], healed: 1 });
  });

  it('goes on after lines that make no sense, which stay for whoever verifies', async () => {
    const log = place.open();
    log.record('login', null, {});
    await log.close();
    appendFileSync(join(place.path, fileNameOf(1)), 'rubbish\n');
    const again = place.open();
    again.record('order.restart', null, {});
    await again.close();
    expect(readChain(written()).findings).toMatchObject([{ what: 'changed', line: 3, sequence: 3 }]);
  });

  it('has a bound: the oldest file goes once a line says so, and the rest is intact', async () => {
    const limits = { fileBytes: 2_000, files: 3 };
    const log = place.open({ limits });
    for (let line = 0; line < 200; line += 1) {
      log.record('login', { as: 'viewer/vera' }, { line });
      await untilWritten(log);
    }
    await until(() => !readdirSync(place.path).includes(fileNameOf(1)) && readdirSync(place.path).length <= 5);
    await log.close();
    const names = readdirSync(place.path);
    expect(names.length).toBeGreaterThanOrEqual(3);
    expect(names.length).toBeLessThanOrEqual(5);
    const reading = readChain(written(), 'pg0', 3);
    expect(reading).toMatchObject({ findings: [] });
    expect(reading.first).toBeGreaterThan(1);
    const [oldest = ''] = names.sort();
    rmSync(join(place.path, oldest));
    expect(readChain(written(), 'pg0', 3).findings).toMatchObject([{ what: 'removed' }]);
  });

  it('is judged by its own limit, whatever less the reader would do with', async () => {
    const log = place.open({ limits: { fileBytes: 1_000, files: 4 } });
    for (let line = 0; line < 60; line += 1) {
      log.record('login', { as: 'viewer/vera' }, { line });
      await untilWritten(log);
    }
    await until(() => !readdirSync(place.path).includes(fileNameOf(1)));
    await log.close();
    expect(readChain(written(), 'pg0', 2).findings).toEqual([]);
    // One that says so of itself while there was room for more.
    const lines = written();
    const fewer = lines.filter(({ file }) => file !== lines[0]?.file);
    const said = fewer[0]?.text ?? '';
    const { previous, sequence } = parseLine(said) ?? { previous: '', sequence: 0 };
    const early = (kept: number) =>
      chain(readChain(fewer).head, {
        ...{ at: new Date(4e12).toISOString(), node: 'pg0', kind: 'log.pruned', who: null },
        facts: { file: 'x', through: sequence - 1, hash: previous, kept },
      }).text;
    const findings = (kept: number) =>
      readChain([...fewer, { file: fewer.at(-1)?.file ?? '', text: early(kept) }], 'pg0', 2).findings;
    expect(findings(1)).toEqual([]);
    expect(findings(99)).toMatchObject([{ what: 'removed', text: expect.stringContaining('there was room') }]);
  });

  it('says when the clock was set back', async () => {
    const log = place.open();
    log.record('login', null, {});
    place.clock.nowMs -= 60_000;
    log.record('login', null, {});
    await log.close();
    expect(kinds()).toEqual(['log.began', 'login', 'clock.set_back', 'login']);
    expect(readChain(written())).toMatchObject({ findings: [], clockSetBack: 1 });
  });

  it('goes on in a new file when its own was taken away, and that is noticed', async () => {
    const log = place.open();
    log.record('login', null, {});
    await untilWritten(log);
    rmSync(join(place.path, fileNameOf(1)));
    log.record('order.restart', null, {});
    await log.close();
    expect(kinds()).toEqual(['order.restart']);
    expect(readChain(written()).findings).toMatchObject([{ what: 'removed', sequence: 3 }]);
  });

  it('finds a line by its number, and no other', async () => {
    const log = place.open({ limits: { fileBytes: 500, files: 9 } });
    for (let line = 0; line < 9; line += 1) {
      log.record('login', null, { line });
      await new Promise((resolve) => setImmediate(resolve));
    }
    await untilWritten(log);
    const { hashes } = readChain(written());
    for (const [sequence, hash] of hashes) {
      expect(await log.holds({ sequence, hash })).toBe(true);
      expect(await log.holds({ sequence, hash: 'f'.repeat(64) })).toBe(false);
    }
    expect(await log.holds({ sequence: 99, hash: 'f'.repeat(64) })).toBe(false);
    await log.close();
  });

  it('gives pieces of its own files, and of no others', async () => {
    const log = place.open();
    log.record('login', null, {});
    await log.close();
    writeFileSync(join(place.path, 'secret'), 'x');
    const again = place.open();
    for (const file of ['secret', '../secret', '', '000000000001.jsonl/', '/etc/passwd', `${fileNameOf(2)}`])
      expect(await again.read(file, 0)).toEqual({ text: '', next: null });
    expect((await again.read(fileNameOf(1), 0)).text).toBe(place.files()[0]?.text);
    expect(await again.read(fileNameOf(1), 1e9)).toEqual({ text: '', next: null });
  });
});

describe('a full disk', () => {
  it('stops nobody: lines wait, those beyond the limit are counted, and both are told when there is room', async () => {
    const disk = smallDisk();
    const log = place.open({ io: disk.io, waitingAtMost: 10 });
    log.record('login', null, {});
    await untilWritten(log);
    disk.room = 100;
    for (let line = 0; line < 50; line += 1) log.record('order.restart', null, { line });
    await until(() => log.state().trouble !== null);
    expect(log.state()).toMatchObject({ waiting: 10, missed: 40, trouble: full.message });
    // A part of a line was written, and cut off again.
    expect(readChain(written())).toMatchObject({ findings: [], lines: 2 });
    disk.room = Number.POSITIVE_INFINITY;
    await untilWritten(log);
    await log.close();
    expect(readChain(written())).toMatchObject({ findings: [], missed: 40 });
    expect(kinds().filter((kind) => kind === 'order.restart')).toHaveLength(10);
    expect(place.news).toEqual([
      ['unwritable', full.message],
      ['writable', 40],
    ]);
  });

  it('never makes a log that is not a chain, whenever it fills and empties', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ lines: fc.nat(8), room: fc.nat(1_500) }), { maxLength: 12 }),
        async (turns) => {
          place.remove();
          const disk = smallDisk();
          const log = place.open({ io: disk.io, waitingAtMost: 20, limits: { fileBytes: 1_000, files: 4 } });
          for (const { lines, room } of turns) {
            disk.room = room;
            for (let line = 0; line < lines; line += 1) log.record('login', null, { line });
            await new Promise((resolve) => setImmediate(resolve));
          }
          disk.room = Number.POSITIVE_INFINITY;
          log.record('order.restart', null, {});
          await untilWritten(log);
          await log.close();
          expect(readChain(written(), 'pg0', 4).findings).toEqual([]);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('that can not even be opened is told, and tried again later', async () => {
    place.remove();
    writeFileSync(place.path, 'no directory');
    const log = place.open();
    expect(log.record('login', null, {})).toBeNull();
    expect(log.state()).toMatchObject({ missed: 1, files: [] });
    expect(place.news).toHaveLength(1);
    rmSync(place.path);
    expect(log.record('login', null, {})).toBeNull();
    place.clock.nowMs += 10_000;
    expect(log.record('login', null, {})).toBe(2);
    await log.close();
    chmodSync(place.path, 0o700);
    expect(kinds()).toEqual(['log.began', 'login', 'log.gap']);
  });
});

async function untilWritten(log: { state(): { waiting: number } }): Promise<void> {
  await until(() => log.state().waiting === 0);
}

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error('it never came');
    await new Promise((resolve) => setImmediate(resolve));
  }
}
