import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../errors/catalogue.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { ClusterAccess } from './cluster-access.ts';
import { refuseWhileStoreAnswers } from './store-silence.ts';

type Word = number | null | UnderstudyError;
type Access = Parameters<typeof refuseWhileStoreAnswers>[0];

/** Each agent's age of the store's last answer, or what asking it throws. `learned` is named by the answers alone. */
function cluster(words: Readonly<Record<string, Word>>, learned: readonly string[] = []): Access {
  const agents = Object.keys(words).map((node) => ({ node, role: 'database' as const, address: '127.0.0.1', port: 1 }));
  let known: ClusterAccess['databaseAgents'] = agents.filter(({ node }) => !learned.includes(node));
  return {
    get databaseAgents() {
      return known;
    },
    learn: () => {
      known = agents;
    },
    // What the caller asks an agent for is its status.
    askNode: async (node, question) => {
      const client = {
        status: async () => {
          const word = words[node];
          if (word instanceof UnderstudyError) throw word;
          return { storeAgeMs: word };
        },
      };
      return await Reflect.apply(question, null, [client, { withinMs: 1, signal: new AbortController().signal }, node]);
    },
  };
}

const telling: readonly ErrorCode[] = ['CERTIFICATE_REFUSED', 'ANSWER_INVALID', 'FORBIDDEN', 'TIMEOUT'];
const failure = (code: ErrorCode) => new UnderstudyError(code, `${code} of db1`);

describe('is refused', () => {
  test('when any agent heard the store lately, whatever the others say', async () => {
    const access = cluster({ db1: 60_000, db2: failure('AGENT_UNREACHABLE'), db3: 14_999 });
    await expect(refuseWhileStoreAnswers(access)).rejects.toMatchObject({
      code: 'REFUSED',
      message: expect.stringContaining('the store answers the agent of db3'),
    });
  });

  test('when only an agent that the context file does not name heard it', async () => {
    const access = cluster({ db1: null, db2: 1_000 }, ['db2']);
    await expect(refuseWhileStoreAnswers(access)).rejects.toMatchObject({
      code: 'REFUSED',
      message: expect.stringContaining('db2'),
    });
  });

  test.each(telling)('on %s, which is not silence', async (code) => {
    const access = cluster({ db1: failure(code), db2: null });
    await expect(refuseWhileStoreAnswers(access)).rejects.toMatchObject({
      code: 'REFUSED',
      message: `it is not known whether the store answers the agent of db1: ${code} of db1`,
    });
  });
});

test('silence of every kind lets it pass', async () => {
  await refuseWhileStoreAnswers(
    cluster({ db1: failure('AGENT_UNREACHABLE'), db2: failure('STORE_UNREACHABLE'), db3: null, db4: 15_001 }),
  );
});
