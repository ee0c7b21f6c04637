import { describe, expect, it } from 'vitest';
import { type Looks, runReloadHook, whyNotRun } from './reload-hook.ts';

const kinds = { directory: 0o755, file: 0o755, link: 0o777 } as const;
type Change = Partial<{ uid: number; mode: number; kind: keyof typeof kinds }>;

/** Everything is root's and in order but what is named. */
function looks(
  changes: Readonly<Record<string, Change | null>>,
  real: (path: string) => string = (path) => path,
): Looks {
  return {
    real,
    facts(path) {
      const change = changes[path];
      if (change === null) return null;
      const kind = change?.kind ?? (path.endsWith('/hook') ? 'file' : 'directory');
      return {
        uid: change?.uid ?? 0,
        mode: change?.mode ?? kinds[kind],
        isFile: () => kind === 'file',
        isDirectory: () => kind === 'directory',
        isSymbolicLink: () => kind === 'link',
      };
    },
  };
}

describe('a reload hook', () => {
  const hook = '/usr/local/sbin/hook';

  it('may be run when it and all above it belong to root alone', () => {
    expect(whyNotRun(hook, looks({}))).toBeNull();
  });

  it.each<[string, Readonly<Record<string, Change | null>>, RegExp]>([
    ['it belongs to somebody else', { [hook]: { uid: 33 } }, /^belongs to user 33/],
    ['its group may write it', { [hook]: { mode: 0o775 } }, /^can be written by others/],
    ['everybody may write it', { [hook]: { mode: 0o757 } }, /^can be written by others/],
    ['a directory above is somebody else’s', { '/usr/local': { uid: 33 } }, /\/usr\/local belongs to user 33/],
    ['everybody may write above it', { '/usr/local/sbin': { mode: 0o1777 } }, /\/usr\/local\/sbin can be written/],
    ['it is not there', { [hook]: null }, /is not there/],
    ['it is a directory', { [hook]: { kind: 'directory' } }, /is no file/],
    ['nobody may execute it', { [hook]: { mode: 0o644 } }, /is not executable/],
  ])('is refused when %s', (_, changes, because) => {
    expect(whyNotRun(hook, looks(changes))).toMatch(because);
  });

  it('is judged by where a link leads, too', () => {
    const leads = (to: string, change: Change) =>
      whyNotRun(
        hook,
        looks({ [hook]: { kind: 'link' }, [to]: { kind: 'file', ...change } }, () => to),
      );
    expect(leads('/opt/hook', {})).toBeNull();
    expect(leads('/opt/hook', { uid: 1000 })).toMatch(/\/opt\/hook belongs to user 1000/);
  });

  it('has an absolute path, or is a program that is installed', async () => {
    expect(whyNotRun('hook', looks({}))).toMatch(/no absolute path/);
    await expect(runReloadHook(['no-such-program'], 'web.example.org', '/')).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
    await expect(runReloadHook(['true'], 'web.example.org', '/')).resolves.toBeUndefined();
    await expect(runReloadHook(['false'], 'web.example.org', '/')).rejects.toMatchObject({ code: 'PROCESS_FAILED' });
    await expect(runReloadHook(null, 'web.example.org', '/')).resolves.toBeUndefined();
  });
});
