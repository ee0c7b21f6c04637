/**
 * How an error goes over the wire: a status for programs that know HTTP, and a body for those that know us.
 *
 * Refuses to tell what it doesn't know: the text of an unforeseen error stays in the agent's log.
 */
import { z } from 'zod';
import type { ErrorCode } from '../errors/catalogue.ts';
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { ErrorAnswer } from './schemas/failure.ts';

export interface Failure {
  readonly status: number;
  readonly answer: ErrorAnswer;
  /** Was this a mistake of the agent's own, to be looked into? */
  readonly isDefect: boolean;
}

const statuses: Partial<Record<ErrorCode, number>> = {
  REQUEST_INVALID: 400,
  CONFIG_INVALID: 400,
  CERTIFICATE_REFUSED: 403,
  FORBIDDEN: 403,
  TOKEN_REFUSED: 403,
  TOO_MANY_ATTEMPTS: 429,
  NOT_FOUND: 404,
  REFUSED: 409,
  CONFLICT: 409,
  STORE_UNREACHABLE: 503,
  AGENT_UNREACHABLE: 503,
  TIMEOUT: 503,
};

/** An error with a status that its code alone does not give. */
export class HttpError extends UnderstudyError {
  readonly status: number;

  constructor(status: number, message: string) {
    super('REQUEST_INVALID', message);
    this.status = status;
  }
}

export function failureOf(error: unknown): Failure {
  if (isUnderstudyError(error)) {
    const { code, message, hint, retry } = error;
    const status = error instanceof HttpError ? error.status : (statuses[code] ?? 500);
    return { status, answer: { code, message, hint, retry }, isDefect: code === 'BROKEN_INVARIANT' };
  }
  if (error instanceof z.ZodError) return failureOf(new UnderstudyError('REQUEST_INVALID', describeIssues(error)));
  const { code, message, hint, retry } = new UnderstudyError('BROKEN_INVARIANT', 'the agent failed on this request');
  return { status: 500, answer: { code, message, hint, retry }, isDefect: true };
}

/** What is wrong with a value, where, in one line. */
export function describeIssues(error: z.ZodError): string {
  const shown = error.issues.slice(0, 5).map(({ path, message }) => {
    const where = path.map(String).join('.');
    return where === '' ? message : `${where}: ${message}`;
  });
  const more = error.issues.length - shown.length;
  return shown.join('; ') + (more > 0 ? `; and ${more} more` : '');
}
