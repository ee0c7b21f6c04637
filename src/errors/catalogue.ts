/** Every error code with what to do about it. docs/errors.md is held against this table by a test. */
interface ErrorEntry {
  readonly hint: string;
  readonly retry: 'never' | 'later' | 'operator';
}

export const errorCatalogue = {
  // the declaration
  CONFIG_INVALID: { hint: 'mend the lines named above', retry: 'operator' },
  CONFIG_UNREADABLE: { hint: 'check that the file exists and may be read', retry: 'operator' },
  PROMISE_UNREADABLE: {
    hint: 'what this node has bound itself to is not known: restore the file, or clone the node anew (understudy reinit)',
    retry: 'operator',
  },
  FENCE_UNREACHABLE: { hint: 'the agent starts a new fence by itself; read fence.log on that node', retry: 'later' },
  // the store
  STORE_UNREACHABLE: { hint: 'check that etcd runs on the endpoints named in the spec', retry: 'later' },
  STORE_DENIED: { hint: "check the store user's name, password and role on this node", retry: 'operator' },
  STORE_CERTIFICATE: {
    hint: "the store's certificate was not accepted: check its CA, names and dates",
    retry: 'operator',
  },
  // PostgreSQL
  POSTGRES_BINARIES_MISSING: { hint: 'install the postgresql-<major> package', retry: 'operator' },
  POSTGRES_WRONG_MAJOR: { hint: 'the data directory belongs to another major version', retry: 'operator' },
  POSTGRES_FAILED: { hint: "read PostgreSQL's log on that node", retry: 'later' },
  POSTGRES_TIMEOUT: { hint: "read PostgreSQL's log on that node", retry: 'later' },
  EXTENSION_MISSING: { hint: 'install its package on every database node', retry: 'operator' },
  PORT_IN_USE: { hint: 'end the process that listens there, or declare another port', retry: 'operator' },
  DATA_DIRECTORY_FOREIGN: {
    hint: 'move the directory away by hand, or declare another one; it is never touched',
    retry: 'operator',
  },
  DATA_DIRECTORY_MOUNTED: {
    hint: 'mount the file system one directory higher, and let the data directory be a directory on it',
    retry: 'operator',
  },
  CLONE_FAILED: { hint: 'check disk space on this node and the log of the primary', retry: 'later' },
  REWIND_FAILED: { hint: 'the node is cloned instead; its log and that of the primary say why', retry: 'later' },
  RESCUE_FAILED: {
    hint: 'nothing was removed: the data directory of the node is kept beside the new one',
    retry: 'later',
  },
  DISK_FULL: { hint: 'free disk space on this node', retry: 'later' },
  // poolers
  POOLER_BINARIES_MISSING: { hint: 'install the pgbouncer package', retry: 'operator' },
  POOLER_FAILED: { hint: "read pgbouncer's log on that node", retry: 'later' },
  POOLER_FILES_FAILED: {
    hint: 'free disk space on that node, and see that its agent may write to its state directory',
    retry: 'later',
  },
  POOLER_TIMEOUT: { hint: "read pgbouncer's log on that node", retry: 'later' },
  // backups
  REPOSITORY_BINARIES_MISSING: { hint: 'install the pgbackrest package on every database node', retry: 'operator' },
  REPOSITORY_UNCONFIGURED: {
    hint: 'the node is given them as soon as they are sealed to it: understudy backup info',
    retry: 'later',
  },
  REPOSITORY_FILES_FAILED: {
    hint: 'free disk space on that node, and see that its agent may write to its state directory',
    retry: 'later',
  },
  REPOSITORY_UNREACHABLE: {
    hint: 'check the endpoint, the credentials and the CA of the repository from that node',
    retry: 'later',
  },
  REPOSITORY_FOREIGN: { hint: 'declare another prefix: nothing in the repository is touched', retry: 'operator' },
  REPOSITORY_PASSPHRASE: {
    hint: 'give the passphrase that was shown when the repository was made, or declare another prefix',
    retry: 'operator',
  },
  REPOSITORY_DAMAGED: { hint: 'make a full backup: understudy backup now --full', retry: 'operator' },
  REPOSITORY_BUSY: { hint: 'wait for it to end: understudy backup list', retry: 'later' },
  ARCHIVE_STALLED: { hint: "read the archiver's messages in PostgreSQL's log on the primary", retry: 'later' },
  BACKUP_FAILED: {
    hint: 'the message says what pgBackRest could not do; what was copied is used by the next attempt',
    retry: 'later',
  },
  RESTORE_FAILED: {
    hint: 'nothing was started; the message says what could not be done. Where a backup is damaged, another may do: --backup LABEL',
    retry: 'later',
  },
  PROOF_FAILED: {
    hint: 'make a full backup (understudy backup now --full), and prove it (understudy backup prove)',
    retry: 'operator',
  },
  // agents and their API
  AGENT_UNREACHABLE: { hint: 'check that the agent runs on that node', retry: 'later' },
  CERTIFICATE_REFUSED: { hint: "use a certificate that this cluster's CA issued for this purpose", retry: 'operator' },
  TOKEN_REFUSED: { hint: 'order another one: understudy node token NODE', retry: 'operator' },
  TOO_MANY_ATTEMPTS: { hint: 'wait a minute, and do the same again', retry: 'later' },
  SEALING_FAILED: {
    hint: "check `tls.sealing` in that node's file, and that its certificate stands in the store: understudy doctor",
    retry: 'later',
  },
  ANSWER_INVALID: { hint: 'compare the versions of both sides: understudy version', retry: 'operator' },
  FORBIDDEN: { hint: 'this certificate may not do that', retry: 'never' },
  REQUEST_INVALID: { hint: 'see the message for what would be right', retry: 'never' },
  REFUSED: { hint: 'see the reasons given', retry: 'operator' },
  NOT_FOUND: { hint: 'check the name', retry: 'never' },
  CONFLICT: { hint: 'somebody else changed it first: look again', retry: 'later' },
  // processes and the stage
  PROCESS_FAILED: { hint: 'see its output', retry: 'later' },
  TIMEOUT: { hint: 'try again, and look at the logs', retry: 'later' },
  STAGE_EXISTS: { hint: 'understudy stage down ends it', retry: 'operator' },
  STAGE_FAILED: { hint: "read the logs under the stage's directory", retry: 'later' },
  STAGE_MISSING: { hint: 'understudy stage up starts one here', retry: 'operator' },
  BROKEN_INVARIANT: { hint: 'this is a defect: please report it with the log', retry: 'never' },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof errorCatalogue;
