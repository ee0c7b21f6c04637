import { describe, expect, it } from 'vitest';
import { controlTimeline, parseControl } from './control-file.ts';
import { crc32c } from './crc32c.ts';

function record(format: number, checksumAt: number): Buffer {
  const bytes = Buffer.alloc(8192);
  bytes.writeBigUInt64LE(7_300_000_000_000_000_001n, 0);
  bytes.writeUInt32LE(format, 8);
  bytes.writeUInt32LE(1, 16);
  bytes.writeBigUInt64LE(0x16_b374_d848n, 32);
  bytes.writeUInt32LE(3, 48);
  bytes.writeUInt32LE(4 * 1024 * 1024, 228);
  bytes.writeUInt32LE(1, 252);
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, checksumAt)), checksumAt);
  return bytes;
}

describe('crc32c', () => {
  it('is that of RFC 3720', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe306_9283);
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a91_36aa);
  });
});

describe('parseControl', () => {
  it.each([
    [1300, 288],
    [1700, 288],
    [1800, 292],
  ])('reads format %i', (format, checksumAt) => {
    expect(parseControl(record(format, checksumAt))).toMatchObject({
      found: 'control',
      control: {
        systemIdentifier: '7300000000000000001',
        state: 'shut-down',
        checkpointTimeline: 3,
        checkpointLsn: 0x16_b374_d848n,
      },
    });
  });

  it('follows a primary that crashed between its promotion and its first checkpoint onto its new timeline', () => {
    const reading = parseControl(record(1300, 288));
    if (reading.found !== 'control') throw new Error(reading.found);
    const crashed = { ...reading.control, state: 'in-production', minRecoveryTimeline: 4 } as const;
    expect(controlTimeline(crashed)).toBe(4);
    expect(controlTimeline({ ...crashed, minRecoveryTimeline: 0 })).toBe(3);
  });

  it('believes nothing that a checksum does not cover', () => {
    for (let at = 0; at < 292; at += 1) {
      const bytes = record(1300, 288);
      bytes.writeUInt8(bytes.readUInt8(at) ^ 0x40, at);
      expect(parseControl(bytes).found).not.toBe('control');
    }
    expect(parseControl(Buffer.alloc(100)).found).toBe('unreadable');
  });

  it('leaves other formats to others', () => {
    expect(parseControl(record(1902, 296))).toEqual({ found: 'unknown-format', formatVersion: 1902 });
  });
});
