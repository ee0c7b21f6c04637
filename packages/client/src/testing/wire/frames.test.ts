import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Frame, FrameReader, WireError } from './frames.ts';
import { message } from './messages.ts';

const messages = fc.array(
  fc.record({ type: fc.constantFrom('Q', 'D', 'Z', 'd'), body: fc.uint8Array({ maxLength: 40 }) }),
  { maxLength: 12 },
);

/** Cut at these places, which may coincide. */
function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end));
}

function readAll(reader: FrameReader, chunks: readonly Buffer[]): Frame[] {
  const frames: Frame[] = [];
  for (const chunk of chunks) {
    reader.push(chunk);
    for (let frame = reader.next('message'); frame !== null; frame = reader.next('message')) frames.push(frame);
  }
  return frames;
}

describe('messages', () => {
  it('come out as they were sent, however they were split or merged', () => {
    fc.assert(
      fc.property(messages, fc.array(fc.nat(), { maxLength: 30 }), (sent, cuts) => {
        const whole = sent.map(({ body, type }) => message(type, Buffer.from(body)));
        const frames = readAll(new FrameReader(), pieces(Buffer.concat(whole), cuts));
        expect(frames.map(({ body, type }) => [type, [...body]])).toEqual(
          sent.map(({ body, type }) => [type, [...body]]),
        );
        expect(Buffer.concat(frames.map(({ bytes }) => bytes))).toEqual(Buffer.concat(whole));
      }),
    );
  });

  it('come out as soon as their last byte is there', () => {
    const reader = new FrameReader();
    const bytes = message('Q', Buffer.from('SELECT 1\0'));
    for (const byte of bytes.subarray(0, -1)) {
      reader.push(Buffer.from([byte]));
      expect(reader.next('message')).toBeNull();
    }
    reader.push(bytes.subarray(-1));
    expect(reader.next('message')?.body.toString()).toBe('SELECT 1\0');
  });

  it('have no type at the start', () => {
    const reader = new FrameReader();
    reader.push(Buffer.concat([message('', Buffer.from([4, 210, 22, 47])), message('Q', Buffer.from('x\0'))]));
    expect(reader.next('startup')).toMatchObject({ type: '', body: Buffer.from([4, 210, 22, 47]) });
    expect(reader.next('message')).toMatchObject({ type: 'Q', body: Buffer.from('x\0') });
  });

  it.each([
    ['message', '47455420'],
    ['message', '5100000003'],
    ['startup', '474554202f20'],
    ['startup', '00000003'],
  ] as const)('of no possible length are an error (%s: %s)', (kind, hex) => {
    const reader = new FrameReader();
    reader.push(Buffer.from(`${hex}ffffffff`, 'hex'));
    expect(() => reader.next(kind)).toThrow(WireError);
  });
});
