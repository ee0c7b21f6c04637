import { describe, expect, it } from 'vitest';
import { CommitFaults } from '../commit-faults.ts';
import { FrameReader } from '../wire/frames.ts';
import { message, query, readyForQuery } from '../wire/messages.ts';
import { Relay } from './relay.ts';
import type { Behaviour } from './steps.ts';

const text = (...words: string[]): Buffer => Buffer.from(words.map((word) => `${word}\0`).join(''));
const parse = (name: string, sql: string): Buffer => message('P', Buffer.concat([text(name, sql), Buffer.alloc(2)]));
const bind = (name: string): Buffer => message('B', Buffer.concat([text('', name), Buffer.alloc(6)]));
const execute = message('E', Buffer.concat([text(''), Buffer.alloc(4)]));
const sync = message('S', Buffer.alloc(0));
const flush = message('H', Buffer.alloc(0));
const done = (tag: string): Buffer => message('C', text(tag));
const failed = message('E', Buffer.from('SERROR\0\0'));
const ready = (status: 'I' | 'T' | 'E'): Buffer => readyForQuery(status);

const plain: Behaviour = {
  face: { isStandby: false, standsAt: null, failovers: 0 },
  snapshot: null,
  refusesWrites: false,
};

/** A relay after its start-up, and what it sent, as types and texts. */
class Played {
  readonly commits = new CommitFaults();
  readonly toClient: string[] = [];
  readonly toServer: string[] = [];
  readonly relay: Relay;
  behaviour: Behaviour = plain;
  taken = 0;
  wasCut: string | null = null;

  constructor() {
    this.relay = new Relay({
      toClient: (bytes) => this.toClient.push(...told(bytes)),
      toServer: (bytes) => this.toServer.push(...told(bytes)),
      cut: (first) => {
        this.wasCut = first;
      },
      behaviour: () => this.behaviour,
      commits: this.commits,
    });
    this.serverSays(ready('I'));
    this.toClient.length = 0;
  }

  lags(): void {
    const reserve = (): (() => void) => {
      this.taken += 1;
      return () => {
        this.taken -= 1;
      };
    };
    this.behaviour = { ...plain, snapshot: { imported: 'IMPORT', reserve } };
  }

  clientSays(...messages: Buffer[]): void {
    for (const frame of framesOf(messages)) this.relay.fromClient(frame);
  }

  serverSays(...messages: Buffer[]): void {
    for (const frame of framesOf(messages)) this.relay.fromServer(frame);
  }

  /** What went on since it was asked last. */
  get sent(): { client: string; server: string } {
    return { client: this.client, server: this.server };
  }

  get client(): string {
    return this.toClient.splice(0).join(' ');
  }

  get server(): string {
    return this.toServer.splice(0).join(' ');
  }
}

function framesOf(messages: readonly Buffer[]) {
  const reader = new FrameReader();
  reader.push(Buffer.concat(messages));
  return messages.flatMap(() => reader.next('message') ?? []);
}

function told(bytes: Buffer): string[] {
  return framesOf([bytes]).map(({ body, type }) => {
    if (type === 'Q' || type === 'C' || type === 'Z') return `${type}(${body.toString().replace(/\0.*/s, '')})`;
    return type;
  });
}

describe('without a fault', () => {
  it('one cycle is under way at a time, and each is answered once', () => {
    const played = new Played();
    played.clientSays(query('SELECT 1'), query('BEGIN'));
    expect(played.sent).toEqual({ client: '', server: 'Q(SELECT 1)' });
    played.serverSays(done('SELECT 1'), ready('I'));
    expect(played.sent).toEqual({ client: 'C(SELECT 1) Z(I)', server: 'Q(BEGIN)' });
    expect(played.relay.isBusy).toBe(true);
    played.serverSays(done('BEGIN'), ready('T'));
    expect(played.sent).toEqual({ client: 'C(BEGIN) Z(T)', server: '' });
    expect(played.relay.isBusy).toBe(true);
  });

  it('a statement has ended with its error', () => {
    const played = new Played();
    played.clientSays(parse('', 'SELECT nothing'));
    played.serverSays(failed);
    expect(played.relay.isBusy).toBe(true);
    played.clientSays(sync);
    expect(played.relay.isBusy).toBe(false);
    played.serverSays(ready('I'));
    expect(played.relay.isBusy).toBe(false);
  });

  it('messages before Sync go on at once, and what comes behind it waits', () => {
    const played = new Played();
    played.clientSays(parse('', 'SELECT 1'), bind(''), flush);
    expect(played.server).toBe('P B H');
    played.serverSays(message('1', Buffer.alloc(0)));
    expect(played.client).toBe('1');
    played.clientSays(execute, sync, query('SELECT 2'));
    expect(played.server).toBe('E S');
    played.serverSays(done('SELECT 1'), ready('I'));
    expect(played.sent).toEqual({ client: 'C(SELECT 1) Z(I)', server: 'Q(SELECT 2)' });
  });

  it('data of a COPY go on, by both protocols', () => {
    const played = new Played();
    const data = [message('d', Buffer.from('1\n')), message('c', Buffer.alloc(0))];
    const begun = message('G', Buffer.from([0, 0, 0]));
    played.clientSays(query('COPY a FROM STDIN'));
    played.serverSays(begun);
    played.clientSays(...data);
    expect(played.sent).toEqual({ client: 'G', server: 'Q(COPY a FROM STDIN) d c' });
    played.serverSays(done('COPY 1'), ready('I'));
    played.clientSays(parse('', 'COPY a FROM STDIN'), bind(''), execute, sync);
    played.serverSays(begun);
    played.clientSays(...data, sync, query('SELECT 1'));
    expect(played.server).toBe('P B E S d c S');
    played.serverSays(done('COPY 1'), ready('I'));
    expect(played.server).toBe('Q(SELECT 1)');
  });

  it('what the server says by itself reaches the client', () => {
    const played = new Played();
    played.serverSays(message('A', Buffer.alloc(0)), message('S', text('TimeZone', 'UTC')), failed);
    expect(played.client).toBe('A S E');
  });
});

describe('a server that lags', () => {
  it('reads under its snapshot, and the client sees nothing of that', () => {
    const played = new Played();
    played.lags();
    played.clientSays(query('SELECT 1'));
    expect(played.server).toBe('Q(BEGIN; IMPORT)');
    expect(played.taken).toBe(1);
    played.serverSays(done('BEGIN'), done('SET'), ready('T'));
    expect(played.taken).toBe(0);
    expect(played.server).toBe('Q(SELECT 1)');
    played.serverSays(done('SELECT 1'), ready('T'));
    expect(played.server).toBe('Q(COMMIT)');
    played.serverSays(done('COMMIT'), ready('I'));
    expect(played.client).toBe('C(SELECT 1) Z(I)');
  });

  it('ends its transaction also behind an error', () => {
    const played = new Played();
    played.lags();
    played.clientSays(query('SELECT nothing'));
    played.serverSays(done('BEGIN'), done('SET'), ready('T'), failed, ready('E'));
    expect(played.server).toBe('Q(BEGIN; IMPORT) Q(SELECT nothing) Q(COMMIT)');
    played.serverSays(done('ROLLBACK'), ready('I'));
    expect(played.client).toBe('E Z(I)');
  });

  it('answers a reader that can not be put under it with the error, once', () => {
    const played = new Played();
    played.lags();
    played.clientSays(parse('', 'SELECT 1'), bind(''));
    played.serverSays(done('BEGIN'), failed, ready('E'));
    played.clientSays(execute, sync);
    expect(played.server).toBe('Q(BEGIN; IMPORT) Q(COMMIT)');
    played.serverSays(done('ROLLBACK'), ready('I'));
    expect(played.client).toBe('E Z(I)');
    played.clientSays(query('SELECT 1'));
    played.serverSays(done('BEGIN'), failed, ready('E'), done('ROLLBACK'), ready('I'));
    expect(played.sent).toEqual({ client: 'E Z(I)', server: 'Q(BEGIN; IMPORT) Q(COMMIT)' });
  });

  it("puts the client's own transaction under it, whatever comes with its BEGIN", () => {
    const played = new Played();
    played.lags();
    played.clientSays(query('BEGIN READ ONLY; SELECT 1'));
    played.serverSays(done('BEGIN'), ready('T'), done('SET'), ready('T'), done('SELECT 1'), ready('T'));
    expect(played.sent).toEqual({
      client: 'C(BEGIN) C(SELECT 1) Z(T)',
      server: 'Q(BEGIN READ ONLY) Q(IMPORT) Q( SELECT 1)',
    });
    played.clientSays(query('COMMIT'));
    played.serverSays(done('COMMIT'), ready('I'));
    expect(played.sent).toEqual({ client: 'C(COMMIT) Z(I)', server: 'Q(COMMIT)' });
  });

  it('knows a BEGIN that was prepared before', () => {
    const played = new Played();
    played.clientSays(parse('b', 'BEGIN'), sync);
    played.serverSays(message('1', Buffer.alloc(0)), ready('I'));
    played.lags();
    expect(played.server).toBe('P S');
    played.clientSays(bind('b'), execute, sync);
    played.serverSays(done('BEGIN'), ready('T'), done('SET'), ready('T'));
    expect(played.server).toBe('B E S Q(IMPORT)');
  });

  it('is let go when its reader is gone', () => {
    const played = new Played();
    played.lags();
    played.clientSays(query('BEGIN'));
    expect(played.taken).toBe(1);
    played.relay.close();
    expect(played.taken).toBe(0);
  });
});

describe('a server that refuses writes', () => {
  it('is told so before each cycle, and once when that is over', () => {
    const played = new Played();
    played.behaviour = { ...plain, refusesWrites: true };
    played.clientSays(query('SELECT 1'));
    played.serverSays(done('SET'), ready('I'), done('SELECT 1'), ready('I'));
    played.behaviour = plain;
    played.clientSays(query('SELECT 2'));
    played.serverSays(done('RESET'), ready('I'), done('SELECT 1'), ready('I'));
    played.clientSays(query('SELECT 3'));
    expect(played.server).toBe(
      'Q(SET default_transaction_read_only TO on) Q(SELECT 1) Q(RESET default_transaction_read_only) Q(SELECT 2) Q(SELECT 3)',
    );
  });
});

describe('a COMMIT whose answer is lost', () => {
  const inTransaction = (begin = 'BEGIN'): Played => {
    const played = new Played();
    played.clientSays(query(begin));
    played.serverSays(done('BEGIN'), ready('T'));
    expect(played.client).toBe('C(BEGIN) Z(T)');
    return played;
  };

  it('is carried out, and nothing of its cycle is heard', () => {
    const played = inTransaction();
    const fault = played.commits.arm('carried-out-unanswered');
    played.clientSays(query("UPDATE a SET b = '; COMMIT'; COMMIT; SELECT 1"));
    played.serverSays(done('UPDATE 1'), done('COMMIT'), done('SELECT 1'));
    expect([fault.hasStruck, played.wasCut]).toEqual([false, null]);
    played.serverSays(ready('I'));
    expect([fault.hasStruck, played.wasCut]).toEqual([true, 'client']);
    expect(played.client).toBe('');
  });

  it('is not carried out when it is not to be', () => {
    const played = inTransaction();
    const fault = played.commits.arm('not-carried-out');
    played.clientSays(parse('', 'COMMIT'), bind(''), execute, sync);
    expect([fault.hasStruck, played.wasCut]).toEqual([true, 'server']);
    expect(played.server).not.toContain('B E');
  });

  it('is not that of a transaction that failed or only reads', () => {
    for (const [begin, tag] of [
      ['BEGIN', 'ROLLBACK'],
      ['BEGIN READ ONLY', 'COMMIT'],
    ] as const) {
      const played = inTransaction(begin);
      const fault = played.commits.arm('carried-out-unanswered');
      played.clientSays(query('COMMIT'));
      played.serverSays(done(tag), ready('I'));
      expect(played.client).toBe(`C(${tag}) Z(I)`);
      expect([fault.hasStruck, played.wasCut]).toEqual([false, null]);
      expect(played.commits.take()).toBe(fault);
    }
  });

  it('strikes nobody once it is undone, also in between', () => {
    const played = inTransaction();
    const fault = played.commits.arm('carried-out-unanswered');
    played.clientSays(query('COMMIT'));
    fault.undo();
    played.serverSays(done('ROLLBACK'), ready('I'));
    expect(played.commits.take()).toBeNull();
  });
});

it('a COMMIT that is not confirmed is answered with a notice before its tag, once', () => {
  const played = new Played();
  const fault = played.commits.arm('not-confirmed');
  for (const answer of ['N C(COMMIT) Z(I)', 'C(COMMIT) Z(I)']) {
    played.clientSays(query('BEGIN'));
    played.serverSays(done('BEGIN'), ready('T'));
    expect(played.client).toBe('C(BEGIN) Z(T)');
    played.clientSays(query('COMMIT'));
    played.serverSays(done('COMMIT'), ready('I'));
    expect(played.client).toBe(answer);
    expect(fault.hasStruck).toBe(true);
  }
});
