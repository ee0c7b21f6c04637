/**
 * Do the wall clocks of this host and of the agents agree? No decision rests on them, but certificates and time stamps do.
 *
 * Asked of the agents' own API, whose answers carry a `date` in whole seconds (RFC 9110 section 6.6.1), over the same
 * verified TLS as everything else. An agent that does not answer is not judged here.
 */
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import type { DoctorFinding } from '../api/contract.ts';
import { describeError } from '../errors/understudy-error.ts';
import { bad, ok } from './finding.ts';

export interface ClockPeer {
  readonly node: string;
  readonly hostName: string;
  readonly address: string;
  readonly port: number;
}

export interface ClockCredentials {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

const withinMs = 2_000;
/** Whole seconds and the way there make up to 2 s; more is a clock that is not kept. */
const toleranceMs = 3_000;

/** `tls`: paths. */
export async function checkPeerClocks(
  peers: readonly ClockPeer[],
  tls: ClockCredentials,
): Promise<readonly DoctorFinding[]> {
  let credentials: { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer };
  try {
    credentials = { ca: readFileSync(tls.ca), cert: readFileSync(tls.certificate), key: readFileSync(tls.key) };
  } catch {
    return []; // told by the checks of these files
  }
  const offsets = await Promise.all(
    peers.map(async (peer) => ({
      peer,
      offsetMs: await offsetOf(peer, credentials).catch((error: unknown) => describeError(error)),
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
function offsetOf(
  peer: ClockPeer,
  credentials: { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer },
): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request({
      ...credentials,
      agent: false,
      host: peer.address,
      port: peer.port,
      servername: peer.hostName,
      path: '/v1/health',
      headers: { host: peer.hostName },
      signal: AbortSignal.timeout(withinMs),
    });
    sent.on('error', reject);
    sent.on('response', (response) => {
      response.resume();
      response.on('error', reject);
      const peerMs = Date.parse(response.headers.date ?? '');
      if (Number.isNaN(peerMs)) reject(new Error('the answer has no date'));
      // The date was cut to whole seconds: half a second is its mean error.
      else resolve(peerMs + 500 - Date.now());
    });
    sent.end();
  });
}
