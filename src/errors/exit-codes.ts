/**
 * What the command line's exit code says, so that scripts need not read text.
 *
 * | code | meaning                                                       |
 * | 0    | done                                                          |
 * | 1    | failed while it was being done                                |
 * | 2    | asked wrongly: usage, an invalid file; nothing was begun       |
 * | 3    | understood and refused; nothing was changed                   |
 * | 4    | whoever had to be asked could not be reached                  |
 */
import type { ErrorCode } from './catalogue.ts';
import { isUnderstudyError } from './understudy-error.ts';

export const exitCodes = { done: 0, failed: 1, usage: 2, refused: 3, unreachable: 4 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Codes that are not named here mean `failed`. */
const byCode: Partial<Record<ErrorCode, ExitCode>> = {
  CONFIG_INVALID: exitCodes.usage,
  CONFIG_UNREADABLE: exitCodes.usage,
  REQUEST_INVALID: exitCodes.usage,
  NOT_FOUND: exitCodes.usage,
  REFUSED: exitCodes.refused,
  FORBIDDEN: exitCodes.refused,
  CONFLICT: exitCodes.refused,
  CERTIFICATE_REFUSED: exitCodes.refused,
  TOKEN_REFUSED: exitCodes.refused,
  STORE_DENIED: exitCodes.refused,
  STORE_CERTIFICATE: exitCodes.refused,
  DATA_DIRECTORY_FOREIGN: exitCodes.refused,
  DATA_DIRECTORY_MOUNTED: exitCodes.refused,
  REPOSITORY_FOREIGN: exitCodes.refused,
  REPOSITORY_PASSPHRASE: exitCodes.refused,
  STAGE_EXISTS: exitCodes.refused,
  AGENT_UNREACHABLE: exitCodes.unreachable,
  STORE_UNREACHABLE: exitCodes.unreachable,
  REPOSITORY_UNREACHABLE: exitCodes.unreachable,
  STAGE_MISSING: exitCodes.unreachable,
};

export function exitCodeOf(code: ErrorCode): ExitCode {
  return byCode[code] ?? exitCodes.failed;
}

export function exitCodeFor(error: unknown): ExitCode {
  return isUnderstudyError(error) ? exitCodeOf(error.code) : exitCodes.failed;
}
