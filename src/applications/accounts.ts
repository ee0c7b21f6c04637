/**
 * Users and groups of this machine by name, from wherever the machine has them (getent(1)): files, a directory service.
 * Asked again only after a failure: a user's number doesn't change while an agent runs.
 */
import { UnderstudyError } from '../errors/understudy-error.ts';
import { run } from '../process/run.ts';

const withinMs = 5_000;

export interface Accounts {
  /** Throws NOT_FOUND, PROCESS_FAILED, TIMEOUT. */
  user(name: string): Promise<{ readonly uid: number; readonly gid: number }>;
  /** Throws NOT_FOUND, PROCESS_FAILED, TIMEOUT. */
  group(name: string): Promise<number>;
}

export function machineAccounts(): Accounts {
  const users = new Map<string, { readonly uid: number; readonly gid: number }>();
  const groups = new Map<string, number>();
  return {
    async user(name) {
      const known = users.get(name);
      if (known !== undefined) return known;
      const [, , uid, gid] = await entry('passwd', name, 'user');
      const found = { uid: Number(uid), gid: Number(gid) };
      users.set(name, found);
      return found;
    },
    async group(name) {
      const known = groups.get(name);
      if (known !== undefined) return known;
      const [, , gid] = await entry('group', name, 'group');
      groups.set(name, Number(gid));
      return Number(gid);
    },
  };
}

async function entry(database: 'passwd' | 'group', name: string, what: string): Promise<readonly string[]> {
  // A number would be looked up as an id, and a hyphen would be an option.
  if (!/^[A-Za-z_]/.test(name)) throw new UnderstudyError('NOT_FOUND', `${JSON.stringify(name)} is no ${what}`);
  const { code, stdout } = await run('getent', [database, name], { withinMs, anyExit: true });
  const fields = stdout.split('\n')[0]?.split(':') ?? [];
  // Exit code 2: one or more keys could not be found (getent(1)).
  if (code === 2 || fields[0] !== name) {
    throw new UnderstudyError('NOT_FOUND', `there is no ${what} ${name} on this node`, {
      hint: `make it, or declare another one under applications.*.files`,
    });
  }
  return fields;
}
