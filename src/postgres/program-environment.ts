/**
 * The environment of PostgreSQL's programs: nothing of the agent's but its paths, so that no PGPASSWORD, PGSERVICE or
 * locale of whoever started the agent takes part. Messages are in the C locale, since some of them are read.
 */
export function programEnvironment(): Readonly<Record<string, string>> {
  const kept = Object.fromEntries(
    ['PATH', 'HOME', 'TMPDIR', 'TZ', 'LD_LIBRARY_PATH'].flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
  return { PATH: '/usr/bin:/bin', ...kept, LANG: 'C', LC_ALL: 'C' };
}
