import { describe, expect, it } from 'vitest';
import { parseLsn } from '../core/lsn.ts';
import { parseVersion } from './binaries.ts';
import { parsePostmasterFile } from './postmaster-file.ts';
import { parseProgress } from './program-progress.ts';
import { planSlots } from './slots.ts';

const at = (text: string) => {
  const lsn = parseLsn(text);
  if (lsn === undefined) throw new Error(text);
  return lsn;
};

describe('planSlots', () => {
  const slot = { active: false, restartLsn: at('0/2000000'), lost: false };

  it('makes what is missing, drops what is ours and not wanted, moves what idles', () => {
    const existing = [
      { ...slot, name: 'understudy_db2' },
      { ...slot, name: 'understudy_gone' },
      { ...slot, name: 'understudy_busy', active: true },
      { ...slot, name: 'somebody_elses' },
      { ...slot, name: 'understudy_lost', restartLsn: null, lost: true },
    ];
    const targets = ['db2', 'db3', 'lost'].map((node) => ({ name: `understudy_${node}`, advanceTo: at('0/3000000') }));
    expect(planSlots(existing, targets)).toEqual([
      { do: 'drop', name: 'understudy_gone' },
      { do: 'drop', name: 'understudy_lost' },
      { do: 'advance', name: 'understudy_db2', to: at('0/3000000') },
      { do: 'create', name: 'understudy_db3' },
      { do: 'create', name: 'understudy_lost' },
    ]);
  });

  it('moves nothing back, and nothing that is in use', () => {
    const targets = [{ name: 'understudy_db2', advanceTo: at('0/1000000') }];
    expect(planSlots([{ ...slot, name: 'understudy_db2' }], targets)).toEqual([]);
    const busy = [{ ...slot, name: 'understudy_db2', active: true }];
    expect(planSlots(busy, [{ name: 'understudy_db2', advanceTo: at('0/9000000') }])).toEqual([]);
  });
});

describe('what programs say', () => {
  it('is understood', () => {
    expect(parseVersion('postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)')).toEqual({
      version: '15.20',
      major: 15,
    });
    expect(parseVersion('postgres (PostgreSQL) 18beta1')).toEqual({ version: '18beta1', major: 18 });
    expect(parseVersion('sh: not found')).toBeNull();
    const progress = '    12/30553 kB (0%), 0/1 tablespace (…)\n 30553/30563 kB (100%), 0/1 tablespace\n';
    expect(parseProgress(progress)).toEqual({ bytesDone: 30553 * 1024, bytesTotal: 30563 * 1024 });
    expect(parseProgress('waiting for checkpoint')).toBeNull();
    expect(parsePostmasterFile('123\n/data\n1700000000\n5432\n/run\n127.0.0.1\n  5432001   7\nready   \n')).toEqual({
      pid: 123,
      port: 5432,
      socketDirectory: '/run',
      sharedMemory: { key: 5432001, id: 7 },
      status: 'ready',
    });
    expect(parsePostmasterFile('12')).toMatchObject({
      pid: 12,
      status: 'none',
      sharedMemory: null,
      socketDirectory: null,
    });
    expect(parsePostmasterFile('')).toBeNull();
  });
});
