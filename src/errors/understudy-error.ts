/**
 * The one base of all errors that cross a module's border. Expected refusals are values, not errors.
 */
import { type ErrorCode, errorCatalogue } from './catalogue.ts';

export class UnderstudyError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;
  readonly retry: 'never' | 'later' | 'operator';

  constructor(code: ErrorCode, message: string, options: { readonly cause?: unknown; readonly hint?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'UnderstudyError';
    this.code = code;
    this.hint = options.hint ?? errorCatalogue[code].hint;
    this.retry = errorCatalogue[code].retry;
  }
}

export function isUnderstudyError(error: unknown, code?: ErrorCode): error is UnderstudyError {
  return error instanceof UnderstudyError && (code === undefined || error.code === code);
}

/** What went wrong in one line, with the causes behind it. */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  let current: unknown = error;
  while (current !== undefined && current !== null && parts.length < 5) {
    const text = current instanceof Error ? current.message : String(current);
    if (text !== '' && !parts.some((part) => part.includes(text))) parts.push(text);
    current = current instanceof Error ? current.cause : undefined;
  }
  return parts.join(': ');
}
