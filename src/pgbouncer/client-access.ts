/**
 * Which clients the pooler lets in, as its own access file (pgbouncer documentation, "HBA file format"). Pure.
 *
 * Invariant: a user, of whom each application has two, reaches the aliases of its own application and no other, always by its password; in plain text only from
 * this very host and what its node file names, from elsewhere by TLS alone. What no line admits is refused. The console is not in it: pgbouncer lets the
 * user that it runs as in by the Unix socket before it reads this (admin_pre_login in its source, 1.18 to 1.24), and nobody
 * else.
 */
import { isIP } from 'node:net';
import { clientUser } from '../core/pooler-configuration.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { PoolerConfiguration } from '../ports/pooler.ts';

/** Quotes take the meaning from `all`, `sameuser` and the like. */
function word(text: string): string {
  if (!/["\r\n\0]/.test(text)) return `"${text}"`;
  throw new UnderstudyError('CONFIG_INVALID', `pgbouncer can't have a user or database named ${JSON.stringify(text)}`);
}

/** Where clients of this host come from: loopback, and the address that the pooler listens on. */
function ownSources(listenAddress: string): readonly string[] {
  const version = isIP(listenAddress);
  const isSpecific = version !== 0 && !/^(127\.|0\.0\.0\.0$|::1?$)/.test(listenAddress);
  return ['127.0.0.0/8', '::1/128', ...(isSpecific ? [`${listenAddress}/${version === 4 ? 32 : 128}`] : [])];
}

/** `plainFrom`: networks that count as this host. */
export function renderClientAccess(
  { aliases, listenAddress }: PoolerConfiguration,
  plainFrom: readonly string[],
): string {
  const applications = [...new Set(aliases.map((alias) => alias.application))];
  const lines = applications.flatMap((application) => {
    const own = aliases.filter((alias) => alias.application === application).map((alias) => word(alias.name));
    // One that has no password is refused all the same.
    const users = [clientUser(application, 1), clientUser(application, 2)].map(word);
    const who = `${own.join(',')} ${users.join(',')}`;
    return [
      `local ${who} scram-sha-256`,
      ...[...ownSources(listenAddress), ...plainFrom].map((from) => `host ${who} ${from} scram-sha-256`),
      // `all` would be taken for IPv4 alone by some versions.
      ...['0.0.0.0/0', '::/0'].map((from) => `hostssl ${who} ${from} scram-sha-256`),
    ];
  });
  return `# written by understudy; changes made here are lost\n${lines.join('\n')}\n`;
}
