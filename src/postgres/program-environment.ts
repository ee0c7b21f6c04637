/**
 * The environment of PostgreSQL's programs: nothing of the agent's but its paths, so that no PGPASSWORD, PGSERVICE or
 * locale of whoever started the agent takes part. Messages are in the C locale, since some of them are read.
 *
 * When memory runs out, a session that took too much must go before the postmaster does: that would take every session
 * with it. The postmaster inherits the agent's score, which the unit lowers; it gives its children the neutral one
 * (documentation 19.4.4; docs/adr/0021).
 */
const memoryKiller = { PG_OOM_ADJUST_FILE: '/proc/self/oom_score_adj', PG_OOM_ADJUST_VALUE: '0' };

export function programEnvironment(): Readonly<Record<string, string>> {
  const kept = Object.fromEntries(
    ['PATH', 'HOME', 'TMPDIR', 'TZ', 'LD_LIBRARY_PATH'].flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
  return { PATH: '/usr/bin:/bin', ...kept, ...memoryKiller, LANG: 'C', LC_ALL: 'C' };
}
