/**
 * The pool of the example: by the directory that Understudy keeps for an application on its node, or by plain URLs, with the
 * same code behind it.
 */
import { ClusterPool, roundRobin, weighted } from '@understudy/client';

/** `UNDERSTUDY_APPLICATION=/etc/understudy/apps/shop`, or `DATABASE_URL` and, if there are any, `REPLICA_URLS`. */
export function openPool(env: NodeJS.ProcessEnv = process.env): ClusterPool {
  const shared = { max: 10, application_name: 'shop' };
  const application = env.UNDERSTUDY_APPLICATION;
  // The primary reads a little, too: a third of what a replica does.
  if (application !== undefined)
    return new ClusterPool({ ...shared, application, router: weighted({ primary: 1 / 3 }) });
  if (env.DATABASE_URL === undefined)
    throw new Error('set UNDERSTUDY_APPLICATION, or DATABASE_URL: see the README here');
  const urls = env.REPLICA_URLS?.split(' ') ?? [];
  const replicas = Object.fromEntries(urls.map((url, index) => [`replica${index + 1}`, url]));
  return new ClusterPool({ ...shared, connectionString: env.DATABASE_URL, replicas, router: roundRobin() });
}

/** What all three programs need, once: by the database's owner in a real application. */
export const schema = `
  CREATE TABLE IF NOT EXISTS orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, article text NOT NULL);
  CREATE TABLE IF NOT EXISTS visits (article text PRIMARY KEY, n bigint NOT NULL);
  CREATE TABLE IF NOT EXISTS jobs (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, article text NOT NULL, done_at timestamptz);
  CREATE TABLE IF NOT EXISTS builds (name text PRIMARY KEY, state text NOT NULL);`;
