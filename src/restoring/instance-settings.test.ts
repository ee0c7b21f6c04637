import { describe, expect, it } from 'vitest';
import { instanceAccess } from './instance-settings.ts';

describe('who connects to a restored server', () => {
  it('is its own user and root, each named by the kernel', () => {
    expect(instanceAccess('pg 15')).toEqual({
      hba: ['local all "postgres" peer map=understudy'],
      ident: ['understudy "pg 15" "postgres"', 'understudy "root" "postgres"'],
    });
  });

  it('is named once where both are one', () => {
    expect(instanceAccess('root').ident).toHaveLength(1);
  });

  it('is never one whose name says more than itself in those files', () => {
    expect(() => instanceAccess('/.*')).toThrow(RangeError);
  });
});
