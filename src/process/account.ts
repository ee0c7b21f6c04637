/**
 * Becomes another account for the rest of this process's life: what it makes from then on is that account's, and so is what it starts.
 *
 * Only root can; anybody else stays who he is. Not to be undone.
 */
import type { RunAs } from './program.ts';

export function becomeAccount({ uid, gid }: RunAs): void {
  if (process.geteuid?.() !== 0) return;
  process.setgroups?.([gid]);
  process.setgid?.(gid);
  process.setuid?.(uid);
}
