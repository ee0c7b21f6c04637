/**
 * In which boot of its system each standby was last known to have received everything (PROTOCOLS, "Invariants" 2).
 *
 * A commit that asked for `remote_write` is acknowledged when a standby has written it, not flushed: it survives the end
 * of PostgreSQL there, and not the end of the system. So the holder records boots with each renewal, and a ballot of another
 * boot than the recorded one counts as unheard for such commits (ballot.ts). For those that waited for a flush it counts.
 *
 * Invariant: a new boot is recorded only once the standby has caught up in it, since then whatever its last boot lost
 * has been sent again; until then the earlier one stands.
 */
import { liveMember, otherDatabaseNodes, type Situation } from '../situation.ts';
import type { NodeName } from '../spec.ts';

/** The last word of a connection whose standby is gone is older than this before that has booted again, in ms. */
const freshReplyMs = 2_500;

export function recordedBoots(situation: Situation): Readonly<Record<NodeName, string>> {
  const { view } = situation;
  const before = view.store.renewal?.value.boots ?? {};
  const boots = otherDatabaseNodes(situation).flatMap(({ name }): [NodeName, string][] => {
    const boot = caughtUp(situation, name) ? (liveMember(situation, name)?.bootId ?? before[name]) : before[name];
    return boot === undefined ? [] : [[name, boot]];
  });
  return Object.fromEntries(boots);
}

/** `streaming` is what a walsender says of itself once everything was sent; until then it is in `catchup`. */
function caughtUp({ view }: Situation, node: NodeName): boolean {
  if (view.postgres.state !== 'primary') return false;
  return view.postgres.peers.some(
    ({ name, state, replyAgeMs }) =>
      name === node && state === 'streaming' && replyAgeMs !== null && replyAgeMs <= freshReplyMs,
  );
}
