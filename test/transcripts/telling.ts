/**
 * Decisions in lines that an operator reads. What says the same as before is not told again, and what comes with every
 * second of life never: it is counted.
 */
import type { Action } from '../../src/core/actions.ts';
import type { Decision } from '../../src/core/decision.ts';
import { formatLsn, lsnFromOffset } from '../../src/core/lsn.ts';

const routine: readonly string[] = ['renew-lease', 'publish-status', 'apply-slots'];
/** An election looks again every half second, and says what it waits for in between: told once. */
const look = 'look-at-lease';
/** Copies of what stands in the store, and what no reader needs. */
const untold: readonly string[] = [
  ...['do', 'because', 'key', 'lease', 'renewal', 'durability', 'operation', 'replaces', 'handsOff', 'accepted'],
  ...['spec', 'specRevision', 'receipt', 'candidates', 'systemIdentifier', 'bootId', 'priority'],
];

export class Telling {
  #lines: string[] = [];
  #head = '';
  /** What was told under this head. */
  readonly #told = new Set<string>();
  readonly #counts = new Map<string, number>();
  #hasLooked = false;

  /** Everything since the last call. */
  take(): readonly string[] {
    const counts = [...this.#counts].sort().map(([name, times]) => `${name} ${times}`);
    const meanwhile = counts.length === 0 ? [] : [`  meanwhile ${counts.join(', ')}`];
    const lines = [...(this.#lines.length === 0 ? ['  as before'] : this.#lines), ...meanwhile];
    this.#lines = [];
    this.#counts.clear();
    return lines;
  }

  decided(atMs: number, { reasons, refused, actions }: Decision<unknown>): void {
    const head = [
      ...reasons.map(({ code, text }) => `${text} (${code})`),
      ...refused.map(({ what, blockedBy, text }) => `refuses to ${what}: ${text} (${blockedBy})`),
    ];
    const key = withoutTimes(head.join('\n'));
    const looks = actions.some((action) => action.do === look);
    const isNew = key !== this.#head && !(looks && this.#hasLooked);
    this.#hasLooked ||= looks;
    if (isNew) {
      this.#head = key;
      this.#told.clear();
    }
    const acts = actions.filter((action) => this.#isNews(action, isNew)).map(tellAct);
    this.#tell(atMs, [...(isNew ? head : []), ...acts]);
  }

  happened(atMs: number, text: string): void {
    if (!this.#told.has(text)) this.#tell(atMs, [text]);
    this.#told.add(text);
  }

  #isNews(action: Action, isNewHead: boolean): boolean {
    const line = withoutTimes(tellAct(action));
    const isRepeated = routine.includes(action.do) || this.#told.has(line) || (action.do === look && !isNewHead);
    if (isRepeated) this.#counts.set(action.do, (this.#counts.get(action.do) ?? 0) + 1);
    else this.#told.add(line);
    return !isRepeated;
  }

  #tell(atMs: number, lines: readonly string[]): void {
    const at = `${(atMs / 1_000).toFixed(3)} s`.padStart(10);
    this.#lines.push(...lines.map((line, index) => `  ${index === 0 ? at : ' '.repeat(at.length)}  ${line}`));
  }
}

/** What counts down, or up, says nothing new. */
function withoutTimes(text: string): string {
  return text.replace(/\d+ m?s\b|round \d+/g, '…');
}

function tellAct(action: Action): string {
  return `do ${[action.do, inner(action)].join(' ').trimEnd()} (${action.because.join(', ')})`;
}

function inner(facts: object): string {
  const told = Object.entries(facts).filter(([name]) => !untold.includes(name));
  return told.flatMap(([name, value]) => plain(value).map((text) => `${name} ${text}`)).join(', ');
}

/** Nothing, where there is nothing to tell. */
function plain(value: unknown): readonly string[] {
  if (value === null || value === undefined) return [];
  if (typeof value === 'bigint') return [formatLsn(lsnFromOffset(value))];
  if (Array.isArray(value)) return value.length === 0 ? [] : [value.flatMap(plain).join(' + ')];
  return [typeof value === 'object' ? `[${inner(value)}]` : String(value)];
}
