/**
 * Reads a libpq connection URI as `understudy uri` prints it (PostgreSQL documentation 34.1.1.2 and 34.16).
 *
 * The password is read from the passfile at each login, so that one that was rotated is used at once. Knows what reaches
 * a pooler on the same host: host or socket directory, port, user, database, passfile, and no TLS. Refuses anything else
 * rather than connect in another way than was asked for.
 */
import { readFile } from 'node:fs/promises';
import type { ClientConfig } from 'pg';
import { UnderstudyError } from '../errors/understudy-error.ts';

interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
}

const known = new Set(['host', 'passfile', 'sslmode']);
const defaultPort = 5432;

/** Throws CONFIG_INVALID for a URI that leaves something open or asks for what is not known here. */
export function clientConfig(uri: string): ClientConfig {
  const parsed = parse(uri);
  const { searchParams } = parsed;
  for (const name of searchParams.keys()) {
    if (!known.has(name)) throw invalid(`its parameter ${name} is not known here`);
  }
  const sslmode = searchParams.get('sslmode') ?? 'disable';
  if (sslmode !== 'disable')
    throw invalid(`sslmode=${sslmode} is not known here; a pooler on the same host has no TLS`);
  const endpoint: Endpoint = {
    host: searchParams.get('host') ?? decodeURIComponent(parsed.hostname.replace(/^\[(.*)\]$/, '$1')),
    port: parsed.port === '' ? defaultPort : Number(parsed.port),
    user: decodeURIComponent(parsed.username),
    database: decodeURIComponent(parsed.pathname.replace(/^\//, '')),
  };
  for (const part of ['host', 'user', 'database'] as const) {
    if (endpoint[part] === '') throw invalid(`it names no ${part}`);
  }
  return { ...endpoint, password: passwordOf(parsed, endpoint), ssl: false };
}

function parse(uri: string): URL {
  if (!/^postgres(?:ql)?:\/\//.test(uri)) throw invalid('it begins with postgresql://');
  try {
    // A host may be left out when a parameter names it; URL wants one.
    return new URL(uri.replace(/^(postgres(?:ql)?:\/\/[^/]*@)(:|\/)/, '$1unnamed$2'));
  } catch {
    // The reason would quote it.
    throw invalid('it can not be read');
  }
}

/** Never quotes the URI: it may hold a password. */
function invalid(because: string): UnderstudyError {
  return new UnderstudyError('CONFIG_INVALID', `the connection URI can't be used: ${because}`, {
    hint: 'give it as understudy uri prints it',
  });
}

function passwordOf(parsed: URL, endpoint: Endpoint): string | (() => Promise<string>) {
  const passfile = parsed.searchParams.get('passfile');
  if (passfile === null) return decodeURIComponent(parsed.password);
  return async () => {
    const password = passwordIn(await readFile(passfile, 'utf8'), endpoint);
    if (password !== null) return password;
    throw new UnderstudyError(
      'CONFIG_INVALID',
      `${passfile} has no password for ${endpoint.user}@${endpoint.database}`,
    );
  };
}

/** The first line that fits decides; a field may be `*`, and colons and backslashes in it have a backslash before them. */
export function passwordIn(passfile: string, { database, host, port, user }: Endpoint): string | null {
  const wanted = [host, String(port), database, user];
  for (const line of passfile.split('\n')) {
    if (line.startsWith('#')) continue;
    const fields = [...line.matchAll(/((?:\\.|[^:\\])*)(?::|$)/g)].map((match) => match[1] ?? '');
    const password = fields[wanted.length];
    const fits = wanted.every((value, index) => fields[index] === '*' || unescaped(fields[index] ?? '') === value);
    if (fits && password !== undefined && password !== '') return unescaped(password);
  }
  return null;
}

function unescaped(field: string): string {
  return field.replace(/\\(.)/g, '$1');
}
