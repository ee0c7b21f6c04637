/**
 * Connections that lead to a server which is primary no more, and that it will never answer: its processes are frozen, or
 * its disk hangs, while its kernel goes on acknowledging. TCP then ends nothing, and pgbouncer's console ends single
 * connections only together with their pool's waiting clients (kill_pool in its source, 1.18; KILL_CLIENT came later).
 *
 * They take places in their pool, so it is widened by as many for as long as they are there, and who waits is served at
 * once. They are ended by `query_timeout` for a moment (pool_server_maint, every third of a second), as old as they are: it
 * ends every request of this pooler that is older, and whoever has waited longer. So it is left undone while anybody
 * else's would be, but for those who asked for that very server by name.
 *
 * Invariant: `query_timeout` is 0 again when this returns, however it ends, while the console answers. What an agent that
 * dies within that second leaves behind, the next one takes away with its first configuration.
 */
import { isIP } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { ServerPlace } from '../ports/pooler.ts';
import type { Console } from './console.ts';
import { type ServerConnection, showPools, showServerConnections } from './views.ts';

const lookEveryMs = 250;
/** After the first seconds they are there to stay until their server is ended. */
const restingLookEveryMs = 1_000;
const restlessMs = 15_000;
/** As long as the kernel waits for an acknowledgement: see tcp_user_timeout in configuration-file.ts. */
const patienceS = 5;
/** Two rounds of its maintenance. */
const strikeMs = 700;
/** An age looks up to a second more or less than it is, and the limit stands for `strikeMs`. */
const toleranceS = 2;
/** A command that is cancelled takes its console with it, which others use: only the time in between is cut short. */
const command = { withinMs: 1_000 };

export type Surplus = ReadonlyMap<string, number>;

export interface StrandedOptions {
  /** `null`: it is not known whether they will be answered; they are made room for, and not ended. */
  readonly former: ServerPlace | null;
  readonly aliases: () => readonly string[];
  /** Aliases that lead to the former one whatever becomes of it: it answers them no more than the stranded. */
  readonly ofItsOwn: () => readonly string[];
  console(): Promise<Console>;
  /** Writes the pools' sizes, wider by these, and has them read. */
  widen(surplus: Surplus): Promise<void>;
  readonly signal: AbortSignal;
}

/** By alias. */
export async function countStranded(console: Console, aliases: readonly string[]): Promise<Surplus> {
  return byAlias(leaving(await showServerConnections(console, Date.now(), command), aliases, null));
}

/**
 * Returns when none is left, or when cancelled; answers how many there were at most. A pooler that does not answer is asked
 * again. Throws when the pooler can't be reached at all: POOLER_FAILED, POOLER_TIMEOUT.
 */
export async function endStranded(options: StrandedOptions): Promise<number> {
  const { former, aliases, widen, signal } = options;
  const since = performance.now();
  let known: Surplus = new Map();
  let most = 0;
  while (!signal.aborted) {
    const console = await options.console();
    const all = await showServerConnections(console, Date.now(), command);
    const stranded = leaving(all, aliases(), former);
    const surplus = byAlias(stranded);
    if (!isSame(surplus, known)) await widen(surplus);
    known = surplus;
    if (stranded.length === 0) break;
    most = Math.max(most, stranded.length);
    const limitS = former === null ? null : await harmlessLimitS(console, stranded, all, options.ofItsOwn());
    if (limitS !== null) await endOlderThan(console, limitS);
    const isResting = performance.now() - since > restlessMs;
    await delay(isResting ? restingLookEveryMs : lookEveryMs, undefined, { signal }).catch(() => undefined);
  }
  return most;
}

function leaving(
  all: readonly ServerConnection[],
  aliases: readonly string[],
  former: ServerPlace | null,
): readonly ServerConnection[] {
  return all.filter(({ alias, isLeaving, address, port }) => {
    // An address that is a name can't be compared with what is shown; that the connection is to be closed says enough.
    const isThere =
      former === null || (port === former.port && (isIP(former.address) === 0 || address === former.address));
    return isLeaving && aliases.includes(alias) && isThere;
  });
}

function byAlias(stranded: readonly ServerConnection[]): Surplus {
  const counts = new Map<string, number>();
  for (const { alias } of stranded) counts.set(alias, (counts.get(alias) ?? 0) + 1);
  return counts;
}

function isSame(one: Surplus, other: Surplus): boolean {
  return one.size === other.size && [...one].every(([alias, count]) => other.get(alias) === count);
}

/** In seconds; `null` when none of the stranded is due, or somebody else's request is about as old. */
async function harmlessLimitS(
  console: Console,
  stranded: readonly ServerConnection[],
  all: readonly ServerConnection[],
  ofItsOwn: readonly string[],
): Promise<number | null> {
  const due = stranded.map(({ requestAgeS }) => requestAgeS).filter((age) => age > patienceS);
  if (due.length === 0) return null;
  const limitS = Math.min(...due) - 1;
  const isOther = ({ alias }: { readonly alias: string }): boolean => !ofItsOwn.includes(alias);
  const others = all.filter((one) => !stranded.includes(one) && isOther(one)).map(({ requestAgeS }) => requestAgeS);
  const pools = (await showPools(console, command)).filter(isOther);
  const waits = pools.map(({ longestWaitMs }) => longestWaitMs / 1_000);
  return [...others, ...waits].some((age) => age > limitS - toleranceS) ? null : limitS;
}

async function endOlderThan(console: Console, limitS: number): Promise<void> {
  try {
    await console.query(`SET query_timeout = '${limitS}'`, command);
    await delay(strikeMs);
  } finally {
    await console.query("SET query_timeout = '0'", command);
  }
}
