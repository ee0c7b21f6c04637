/**
 * The role that pg_rewind reads a source with, and exactly the functions that it needs in the database that it connects to
 * (documentation "pg_rewind", "Notes"; the same in versions 13 to 18). It sees no table, and reads no more than whoever may
 * copy the whole data directory, which its certificate's owner may do anyway.
 */
import { rewindRole } from './layout.ts';

const functions = [
  'pg_catalog.pg_ls_dir(text, boolean, boolean)',
  'pg_catalog.pg_stat_file(text, boolean)',
  'pg_catalog.pg_read_binary_file(text)',
  'pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean)',
];

export function rewindRoleStatements(isKnown: boolean): readonly string[] {
  return [
    `${isKnown ? 'ALTER' : 'CREATE'} ROLE ${rewindRole} LOGIN`,
    ...functions.map((each) => `GRANT EXECUTE ON FUNCTION ${each} TO ${rewindRole}`),
  ];
}

/** An expression: does it have all of them, in the database of this session? */
export const hasRewindRights = `
    coalesce((select r.rolcanlogin and (select bool_and(has_function_privilege(r.oid, f::regprocedure, 'execute'))
        from unnest(array[${functions.map((each) => `'${each}'`).join(', ')}]) f)
      from pg_roles r where r.rolname = '${rewindRole}'), false)`;
