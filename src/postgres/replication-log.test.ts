import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDiagnosis, createLogTail, readObstacle } from './replication-log.ts';

const none = { obstacle: null, aheadSeen: 0 };
const gone =
  'FATAL:  could not receive data from WAL stream: ERROR:  requested WAL segment 000000010000000000000003 has already been removed\n';

describe('readObstacle', () => {
  it.each([
    [gone, 'wal-removed'],
    ['ERROR:  cannot read from replication slot "understudy_db2"', 'wal-removed'],
    ['ERROR:  can no longer access replication slot "understudy_db2"', 'wal-removed'],
    [
      'LOG:  new timeline 2 forked off current database system timeline 1 before current recovery point 0/3000148',
      'diverged',
    ],
    ["ERROR:  requested starting point 0/3000000 on timeline 1 is not in this server's history", 'diverged'],
    ["FATAL:  could not start WAL streaming: ERROR:  requested timeline 2 is not in this server's history", 'diverged'],
    ['FATAL:  highest timeline 1 of the primary is behind recovery timeline 2', 'diverged'],
    ['LOG:  started streaming WAL from primary at 0/3000000 on timeline 1', null],
    ['FATAL:  replication slot "understudy_db2" does not exist', null],
  ])('%s', (line, obstacle) => {
    expect(readObstacle(line, none).obstacle).toBe(obstacle);
  });

  it('believes that it is ahead of its upstream only when told twice', () => {
    const line =
      'ERROR:  requested starting point 0/5000000 is ahead of the WAL flush position of this server 0/4000000';
    const once = readObstacle(line, none);
    expect(once.obstacle).toBeNull();
    expect(readObstacle(line, once).obstacle).toBe('diverged');
  });
});

describe('the diagnosis', () => {
  let directory: string;
  let log: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'understudy-log-'));
    log = join(directory, 'postgresql.log');
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('starts with what is said from now on, and ends with a stream that lasts', () => {
    writeFileSync(log, gone);
    const diagnosis = createDiagnosis(createLogTail(log));
    expect(diagnosis.look(false)).toBeNull();
    appendFileSync(log, gone);
    expect(diagnosis.look(false)).toBe('wal-removed');
    expect(diagnosis.look(true)).toBeNull();
    expect(diagnosis.look(false)).toBe('wal-removed');
    diagnosis.look(true);
    diagnosis.look(true);
    expect(diagnosis.look(false)).toBeNull();
  });

  it('survives a log that is rotated or missing, and reads no more than its end', () => {
    const tail = createLogTail(log);
    expect(tail.read(10)).toEqual({ text: '', end: 0 });
    writeFileSync(log, 'x'.repeat(200_000));
    expect(tail.read(0).text).toHaveLength(64 * 1024);
    const diagnosis = createDiagnosis(tail);
    writeFileSync(log, gone);
    expect(diagnosis.look(false)).toBe('wal-removed');
  });
});
