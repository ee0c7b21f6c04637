/**
 * What becomes of the credentials of applications: who gets a new one, and whose old login is closed (docs/adr/0025). Pure.
 *
 * Invariants: a login that a pooler may still use gets no other password, and is closed only when the pooler has reported the
 * next generation; so a rotation fails no transaction. The server's catalogue is what counts: where it does not know the
 * recorded password, another one is made. Every step may be repeated, and by another holder.
 */
import { loginRole, loginRoles } from '../application-roles.ts';
import type { Stored } from '../cluster-view.ts';
import { type CredentialRecord, type CredentialRecords, credentialName } from '../credential.ts';
import type { ApplicationName, ApplicationSpec, NodeName, Spec } from '../spec.ts';

/** A login role of ours as the catalogue has it. */
export interface LoginFacts {
  readonly role: string;
  readonly canLogin: boolean;
  /** SHA-256 of its verifier, in hex; `null`: it has none. */
  readonly verifierDigest: string | null;
}

export interface CredentialFacts {
  readonly spec: Spec;
  readonly records: CredentialRecords;
  /** Every login role of ours, also of what is declared no more. */
  readonly logins: readonly LoginFacts[];
  /** Nodes that something can be sealed to. */
  readonly sealable: ReadonlySet<NodeName>;
  /** The generation that the node's pooler has fully gone over to; 0: it logs in with none; `null`: not known. */
  readonly inUse: (node: NodeName, application: ApplicationName) => number | null;
  /** Wall clock. */
  readonly wallMs: number;
}

export type CredentialStep =
  /** A new password for the login of that generation, in the server first, then in the store. */
  | {
      readonly do: 'issue';
      readonly node: NodeName;
      readonly application: ApplicationName;
      readonly generation: number;
      readonly role: string;
      readonly replaces: Stored<CredentialRecord> | null;
      readonly because: 'none-yet' | 'ordered' | 'due' | 'unknown-to-the-server' | 'ahead-of-the-store';
    }
  /** It may not log in any more, and has no password. */
  | { readonly do: 'close'; readonly role: string }
  /** Of an application or a node that is declared no more. */
  | { readonly do: 'forget'; readonly record: Stored<CredentialRecord> };

interface Pair {
  readonly application: ApplicationSpec;
  readonly node: NodeName;
}

function declaredPairs(spec: Spec): readonly Pair[] {
  return spec.applications.flatMap((application) => application.nodes.map((node) => ({ application, node })));
}

export function planCredentials(facts: CredentialFacts): readonly CredentialStep[] {
  const pairs = declaredPairs(facts.spec);
  const declared = new Set(pairs.map(({ application, node }) => credentialName(node, application.name)));
  const logins = new Map(facts.logins.map((login) => [login.role, login]));
  const ours = new Set(pairs.flatMap(({ application, node }) => loginRoles(application.name, node)));
  return [
    // Who has lost his access comes first.
    ...facts.logins.filter((login) => !ours.has(login.role) && isOpen(login)).map(({ role }) => close(role)),
    ...[...facts.records].flatMap(([name, record]): CredentialStep[] =>
      declared.has(name) ? [] : [{ do: 'forget', record }],
    ),
    ...pairs.flatMap((pair) => stepsFor(pair, facts, logins)),
  ];
}

/** Is the catalogue without a login that is declared? Whoever dropped it by hand left the databases' work undone. */
export function lacksLogins({ spec, logins }: Pick<CredentialFacts, 'spec' | 'logins'>): boolean {
  const known = new Set(logins.map(({ role }) => role));
  return declaredPairs(spec).some(({ application, node }) =>
    loginRoles(application.name, node).some((role) => !known.has(role)),
  );
}

function isOpen(login: LoginFacts | undefined): boolean {
  return login !== undefined && (login.canLogin || login.verifierDigest !== null);
}

function close(role: string): CredentialStep {
  return { do: 'close', role };
}

function stepsFor(
  { application, node }: Pair,
  facts: CredentialFacts,
  logins: ReadonlyMap<string, LoginFacts>,
): readonly CredentialStep[] {
  const record = facts.records.get(credentialName(node, application.name)) ?? null;
  const roleOf = (generation: number) => loginRole(application.name, node, generation);
  const issue = (generation: number, because: IssueReason): readonly CredentialStep[] => {
    const role = roleOf(generation);
    // The roles are made with the databases; without a sealing certificate nobody could read the password.
    if (!logins.has(role) || !facts.sealable.has(node)) return [];
    return [{ do: 'issue', node, application: application.name, generation, role, replaces: record, because }];
  };
  const inUse = facts.inUse(node, application.name);
  if (record === null) {
    const isUnused = loginRoles(application.name, node).every((role) => !isOpen(logins.get(role)));
    if (isUnused) return issue((inUse ?? 0) + 1, 'none-yet');
    // The store was lost: the pooler may go on with what it has, and says what that is.
    return inUse === null ? [] : issue(inUse + 1, 'none-yet');
  }

  const { generation, verifierDigest } = record.value;
  // It never goes back, and a store that was lost began to count anew.
  if (inUse !== null && inUse > generation) return issue(inUse + 1, 'ahead-of-the-store');
  const isAhead = inUse !== null && inUse >= generation;
  const current = logins.get(roleOf(generation));
  if (current !== undefined && (!current.canLogin || current.verifierDigest !== verifierDigest)) {
    // The other login may be the one that the pooler still uses: then it is this one's turn again.
    return issue(isAhead ? generation + 1 : generation + 2, 'unknown-to-the-server');
  }
  // Until it has left the one before, that one's login is not free.
  if (!isAhead) return [];
  const because = reasonFor(record.value, application, facts.wallMs);
  if (because !== null) return issue(generation + 1, because);
  const former = logins.get(roleOf(generation + 1));
  return former !== undefined && isOpen(former) ? [close(former.role)] : [];
}

type IssueReason = Extract<CredentialStep, { do: 'issue' }>['because'];

function reasonFor(record: CredentialRecord, application: ApplicationSpec, wallMs: number): IssueReason | null {
  if (record.wanted > record.generation) return 'ordered';
  const everyMs = application.rotateEveryMs;
  if (everyMs !== null && wallMs - record.issuedAtMs >= everyMs) return 'due';
  return null;
}
