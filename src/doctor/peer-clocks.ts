/**
 * Do the wall clocks of this host and of the agents agree? No decision rests on them, but certificates and time stamps do.
 *
 * Asked of the agents' own API, whose answers carry a `date` in whole seconds (RFC 9110 section 6.6.1), over the same
 * verified TLS as everything else. An agent that does not answer is not judged here.
 */
import type { DoctorFinding } from '../api/contract/looks.ts';
import { describeError } from '../errors/understudy-error.ts';
import type { CredentialFiles } from '../pki/credential-files.ts';
import { bad, ok } from './finding.ts';
import { askHead, readTls, type Tls } from './https-answer.ts';

export interface ClockPeer {
  readonly node: string;
  readonly hostName: string;
  readonly address: string;
  readonly port: number;
}

/** Whole seconds and the way there make up to 2 s; more is a clock that is not kept. */
const toleranceMs = 3_000;

/** `path`: what this node may ask of them (docs/api.md). */
export async function checkPeerClocks(
  peers: readonly ClockPeer[],
  files: CredentialFiles,
  path: '/v1/health' | '/v1/topology',
): Promise<readonly DoctorFinding[]> {
  const tls = readTls(files);
  if (tls === null) return [];
  const offsets = await Promise.all(
    peers.map(async (peer) => ({
      peer,
      offsetMs: await offsetOf(peer, tls, path).catch((error: unknown) => describeError(error)),
    })),
  );
  const off = offsets.flatMap(({ peer, offsetMs }) =>
    typeof offsetMs === 'number' && Math.abs(offsetMs) > toleranceMs ? [{ peer, offsetMs }] : [],
  );
  if (off.length > 0) {
    return off.map(({ peer, offsetMs }) => {
      const text = `the wall clock of ${peer.node} is ${Math.round(Math.abs(offsetMs) / 1_000)} s ${offsetMs > 0 ? 'ahead' : 'behind'}`;
      return bad(
        'clock',
        'warning',
        text,
        'let a time service set the clocks of all hosts; certificates depend on them',
      );
    });
  }
  const heard = offsets.filter(({ offsetMs }) => typeof offsetMs === 'number');
  return heard.length === 0
    ? []
    : [ok('clock', `the wall clock agrees with ${heard.map(({ peer }) => peer.node).join(', ')}`)];
}

/** How far the peer's wall clock is ahead, in ms, to a second or two. */
async function offsetOf({ address, hostName, port }: ClockPeer, tls: Tls, path: string): Promise<number> {
  const { headers } = await askHead(tls, {
    host: address,
    port,
    servername: hostName,
    path,
    headers: { host: hostName },
  });
  const peerMs = Date.parse(headers.date ?? '');
  if (Number.isNaN(peerMs)) throw new Error('the answer has no date');
  // The date was cut to whole seconds: half a second is its mean error.
  return peerMs + 500 - Date.now();
}
