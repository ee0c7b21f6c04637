/**
 * Asks a neighbour one question by HTTPS, over the same verified TLS as everything else.
 *
 * Every question ends within 2 s, on a connection of its own that is closed as soon as the head of the answer has come: no
 * body is read. Refuses to judge: what an answer or its absence means is for the check that asked.
 */
import { readFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { type RequestOptions, request } from 'node:https';
import type { CredentialFiles } from '../pki/credential-files.ts';

const withinMs = 2_000;

/** As Node's TLS names them. */
export interface Tls {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

export interface AnswerHead {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
}

/** `null`: one of the three can't be read, of which the checks of these files tell. */
export function readTls({ ca, certificate, key }: CredentialFiles): Tls | null {
  try {
    return { ca: readFileSync(ca), cert: readFileSync(certificate), key: readFileSync(key) };
  } catch {
    return null;
  }
}

/** Throws what the connection fails with, and TimeoutError after 2 s. */
export function askHead(tls: Tls, question: RequestOptions): Promise<AnswerHead> {
  return new Promise((resolve, reject) => {
    const sent = request({ ...question, ...tls, agent: false, signal: AbortSignal.timeout(withinMs) });
    sent.on('error', reject);
    sent.on('response', ({ statusCode, headers }) => {
      resolve({ status: statusCode, headers });
      sent.destroy();
    });
    sent.end();
  });
}
