/**
 * How many lines of one kind one caller may cause: a few at once, then one from time to time. What is over is counted.
 *
 * Invariant: whoever it is and however often he comes, neither the file nor this table grows without a bound: callers beyond
 * the table's room share one place.
 */
export interface QuotaLimits {
  /** At once. */
  readonly burst: number;
  /** After that, one per so many ms. */
  readonly everyMs: number;
  readonly callers: number;
}

export const usualQuota: QuotaLimits = { burst: 30, everyMs: 20_000, callers: 200 };

interface Account {
  left: number;
  atMs: number;
  over: number;
}

export interface Counted {
  readonly kind: string;
  readonly caller: string;
  readonly count: number;
}

export const everybodyElse = 'others';

export class Quota {
  readonly #limits: QuotaLimits;
  readonly #accounts = new Map<string, Account & { readonly kind: string; readonly caller: string }>();

  constructor(limits: QuotaLimits = usualQuota) {
    this.#limits = limits;
  }

  /** May it be recorded by itself? Otherwise it is counted. */
  admits(kind: string, caller: string, nowMs: number): boolean {
    const { burst, everyMs } = this.#limits;
    const account = this.#account(kind, caller, nowMs);
    const earned = (nowMs - account.atMs) / everyMs;
    account.left = Math.min(burst, account.left + Math.max(0, earned));
    account.atMs = nowMs;
    if (account.left < 1) {
      account.over += 1;
      return false;
    }
    account.left -= 1;
    return true;
  }

  /** What was counted since last time; those who have been quiet for long are forgotten. */
  takeCounted(nowMs: number): readonly Counted[] {
    const counted: Counted[] = [];
    const { burst, everyMs } = this.#limits;
    for (const [key, account] of this.#accounts) {
      if (account.over > 0) {
        counted.push({ kind: account.kind, caller: account.caller, count: account.over });
        account.over = 0;
      } else if (account.left + (nowMs - account.atMs) / everyMs >= burst) this.#accounts.delete(key);
    }
    return counted;
  }

  #account(kind: string, caller: string, nowMs: number) {
    const known = this.#accounts.get(`${kind} ${caller}`);
    if (known !== undefined) return known;
    const name = this.#accounts.size < this.#limits.callers ? caller : everybodyElse;
    const key = `${kind} ${name}`;
    const account = this.#accounts.get(key) ?? { kind, caller: name, left: this.#limits.burst, atMs: nowMs, over: 0 };
    this.#accounts.set(key, account);
    return account;
  }
}
