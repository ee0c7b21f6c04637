import { DatabaseError } from 'pg';
import { describe, expect, it } from 'vitest';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { ConnectionEnded, endingAfterCommit, endingBeforeCommit } from './ending.ts';

function answer(severity: string, code: string, message: string): DatabaseError {
  return Object.assign(new DatabaseError(message, message.length, 'error'), { severity, code });
}

const refused = [
  ['an ERROR of the server', answer('ERROR', '40001', 'could not serialize access')],
  ['a deferred constraint', answer('ERROR', '23503', 'violates foreign key constraint')],
  ['a server that starts', answer('FATAL', '57P03', 'the database system is starting up')],
  ['a server without room', answer('FATAL', '53300', 'sorry, too many clients already')],
  ['a connection that had ended before', new ConnectionEnded(new Error('read ECONNRESET'))],
  ['a wrong password', answer('FATAL', '28P01', 'password authentication failed')],
  ['a pooler that waited for a server', answer('FATAL', '08P01', 'query_wait_timeout')],
  [
    'a pooler without a server',
    answer('FATAL', '08P01', 'server login has been failing, try again later (server_login_retry)'),
  ],
] as const;

const unanswered = [
  ['a pooler whose server went away', answer('FATAL', '08P01', 'server conn crashed?')],
  ['a pooler that gave a statement up', answer('FATAL', '08P01', 'query_timeout')],
  ['a server that was shut down', answer('FATAL', '57P01', 'terminating connection due to administrator command')],
  ['a crash of another backend', answer('WARNING', '57P02', 'terminating connection because of crash')],
  ['an ERROR about the connection', answer('ERROR', '08006', 'connection failure')],
  ['another language', answer('FEHLER', '40001', 'kann Zugriff nicht serialisieren')],
  ['a connection that ended', new Error('Connection terminated unexpectedly')],
  ['a deadline', new UnderstudyError('TIMEOUT', 'not done within 30000 ms')],
] as const;

describe('after the commit was sent', () => {
  it.each(refused)('%s proves that nothing was committed', (_, error) => {
    expect(endingAfterCommit(error)).toMatchObject({ outcome: 'failed' });
  });

  it.each(unanswered)('%s proves nothing', (_, error) => {
    expect(endingAfterCommit(error)).toMatchObject({ outcome: 'unknown' });
  });

  it('says why in one line, with the code', () => {
    const { because } = { because: '', ...endingAfterCommit(answer('ERROR', '40001', 'could not\nserialize')) };
    expect(because).toBe('40001 could not serialize');
  });
});

it.each([...refused, ...unanswered])('before the commit was sent, %s means that nothing was committed', (_, error) => {
  expect(endingBeforeCommit(error)).toMatchObject({ outcome: 'failed' });
});
