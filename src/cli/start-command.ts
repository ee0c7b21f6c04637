/**
 * The command by which a person starts a restored directory.
 *
 * Invariant: the cluster's own configuration lies in it, and nothing of that which would reach beyond the directory is in force: no network,
 * no archiving, no library that starts work of its own (such as scheduled jobs), no subscription that takes the live one's slot, no
 * standby to wait for.
 */

/** The port is the live server's: the socket is another. */
const ownWorld = [
  ...['listen_addresses=', 'ssl=off', 'archive_mode=off', 'max_logical_replication_workers=0'],
  ...['shared_preload_libraries=', 'session_preload_libraries=', 'local_preload_libraries='],
  'synchronous_standby_names=',
];

export function startCommand(binaries: string, into: string): string {
  const settings = [...ownWorld, `unix_socket_directories=${into}`];
  // pg_ctl hands them to a shell.
  const options = settings.map((setting) => `-c ${word(setting)}`).join(' ');
  return `${word(`${binaries}/pg_ctl`)} -D ${word(into)} -o ${word(options)} -l ${word(`${into}.log`)} start`;
}

function word(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
