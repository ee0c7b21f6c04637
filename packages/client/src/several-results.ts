/** Several statements in one text are answered with a list, which `pg`'s types don't say. */
import type { QueryResult } from 'pg';

export function resultsOf(answer: QueryResult | readonly QueryResult[]): readonly QueryResult[] {
  return 'rows' in answer ? [answer] : answer;
}
