/** One thing that was looked at, and what to do about it. */
import type { DoctorFinding } from '../api/contract/looks.ts';

export function ok(check: string, text: string): DoctorFinding {
  return { check, verdict: 'ok', text, hint: null };
}

export function bad(check: string, verdict: 'warning' | 'failure', text: string, hint: string): DoctorFinding {
  return { check, verdict, text, hint };
}
