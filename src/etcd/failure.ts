/**
 * What an endpoint's failure means: was the request carried out, and would another endpoint do better?
 *
 * The gateway answers errors as gRPC codes with a text (etcd: api/v3rpc/rpctypes/error.go). Codes are judged where they
 * suffice; the texts are matched only where etcd uses one code for unlike things, for they are all that tells them apart.
 */
import { z } from 'zod';
import { describeError, UnderstudyError } from '../errors/understudy-error.ts';

/** A request without a usable answer. */
export class Unanswered extends Error {
  /** `no`: it surely never reached etcd; `maybe`: it may have been carried out, or may be later. */
  readonly applied: 'no' | 'maybe';

  constructor(message: string, applied: 'no' | 'maybe', cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'Unanswered';
    this.applied = applied;
  }
}

export interface Answer {
  readonly status: number;
  readonly json: unknown;
}

export type Refusal =
  /** The token is no longer known here (a member restarted) or is older than a change of users. */
  | { readonly kind: 'stale-token'; readonly text: string }
  | { readonly kind: 'denied'; readonly text: string }
  /** What was asked for is already there. */
  | { readonly kind: 'exists'; readonly text: string }
  /** The request itself is wrong, wherever it is sent. */
  | { readonly kind: 'rejected'; readonly text: string }
  /** No leader, an election, too many requests, no space: `maybe` carried out. */
  | { readonly kind: 'unable'; readonly text: string };

const failure = z.object({ error: z.string().optional(), message: z.string().optional(), code: z.number().optional() });
const grpc = { invalidArgument: 3, permissionDenied: 7, failedPrecondition: 9, unauthenticated: 16 } as const;

const staleToken = /invalid auth token|revision of auth store is old|revision in header is old/;
const wrongCredentials = /authentication failed|user name is empty|user name not found/;

/** Reads an answer whose status is not 200. */
export function refusalOf(answer: Answer): Refusal {
  const parsed = failure.safeParse(answer.json);
  const code = parsed.success ? parsed.data.code : undefined;
  const text = (parsed.success ? (parsed.data.error ?? parsed.data.message) : undefined) ?? `status ${answer.status}`;
  if (code === grpc.unauthenticated || staleToken.test(text)) return { kind: 'stale-token', text };
  if (code === grpc.permissionDenied) return { kind: 'denied', text };
  // A call without a token, too, is answered so: code 9 and "user name not found" (3.4).
  const isArgument = code === grpc.invalidArgument || code === grpc.failedPrecondition;
  if (isArgument && wrongCredentials.test(text)) return { kind: 'denied', text };
  if (code === grpc.failedPrecondition && text.includes('already exists')) return { kind: 'exists', text };
  if (code === grpc.invalidArgument) return { kind: 'rejected', text };
  return { kind: 'unable', text };
}

/** What a request that ended without an answer is reported as. */
export function brokenRequest(endpoint: string, error: unknown): UnderstudyError | Unanswered {
  const codes = codesOf(error);
  if (codes.some((code) => /CERT|UNABLE_TO|SELF_SIGNED|DEPTH_ZERO|^ERR_TLS|^ERR_SSL/.test(code))) {
    const text = `no trust between us and ${endpoint}: ${describeError(error)}`;
    return new UnderstudyError('STORE_CERTIFICATE', text, { cause: error });
  }
  // Only a connection that never came about surely carried nothing.
  const refused = codes.some((code) =>
    /^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|UND_ERR_CONNECT_TIMEOUT)$/.test(code),
  );
  return new Unanswered(`${endpoint} did not answer: ${describeError(error)}`, refused ? 'no' : 'maybe', error);
}

function codesOf(error: unknown): readonly string[] {
  const codes: string[] = [];
  let current: unknown = error;
  for (let depth = 0; current instanceof Error && depth < 5; depth += 1) {
    if ('code' in current && typeof current.code === 'string') codes.push(current.code);
    current = current.cause;
  }
  return codes;
}
