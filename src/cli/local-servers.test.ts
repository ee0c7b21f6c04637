import { describe, expect, it } from 'vitest';
import { fittest, type LocalServer } from './local-servers.ts';

const server = { binaries: '', host: '', port: 5432, user: 'postgres', runAs: null };

function standby(node: string, more: Partial<LocalServer> = {}): LocalServer {
  return { node, server, inRecovery: true, isStreaming: true, isDelayed: false, unreplayedBytes: 0, ...more };
}

const primary = standby('primary', { inRecovery: false, isStreaming: false });

describe('the server to dump from', () => {
  it('is a standby that keeps up, else the primary', () => {
    const cut = standby('cut', { isStreaming: false });
    const behind = standby('behind', { unreplayedBytes: 1024 ** 3 });
    const delayed = standby('delayed', { isDelayed: true });
    expect(fittest([primary, cut, behind, delayed, standby('fit')])?.node).toBe('fit');
    expect(fittest([cut, behind, delayed, primary])?.node).toBe('primary');
  });

  it('is delayed only where there is no other', () => {
    const delayed = standby('delayed', { isDelayed: true });
    expect(fittest([delayed, standby('cut', { isStreaming: false })])?.node).toBe('cut');
    expect(fittest([delayed])?.node).toBe('delayed');
    expect(fittest([])).toBeUndefined();
  });
});
