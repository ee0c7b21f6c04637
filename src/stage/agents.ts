/** Asks a stage's database agents as its operator. */
import { type AgentClient, createAgentClient } from '../api/client.ts';
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import { credentialFiles, readCredentials } from '../pki/credential-files.ts';
import { stagePorts } from './network.ts';
import { personDirectory, type StageRecord } from './record.ts';

/**
 * The first answer, one agent after another. What an agent refuses is passed on at once. Throws AGENT_UNREACHABLE when
 * none answers.
 */
export async function askAgents<T>(record: StageRecord, ask: (client: AgentClient) => Promise<T>): Promise<T> {
  const tls = await readCredentials(credentialFiles(personDirectory(record, 'operator'), 'operator'));
  const { cluster, domain } = record;
  let last: unknown = null;
  for (const { name, address } of record.nodes.filter((other) => other.role === 'database')) {
    const hostName = `${name}.${domain}`;
    const client = createAgentClient({ cluster, node: name, hostName, address, port: stagePorts.api, tls });
    try {
      return await ask(client);
    } catch (error) {
      if (!isUnderstudyError(error, 'AGENT_UNREACHABLE')) throw error;
      last = error;
    } finally {
      client.close();
    }
  }
  throw new UnderstudyError('AGENT_UNREACHABLE', 'no database agent of the stage answers', { cause: last });
}
