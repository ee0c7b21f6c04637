/**
 * What opens a repository: the passphrase that everything in it is encrypted with, and the credentials of the place where it lies.
 *
 * Invariant: never stored or sent but sealed to a node, never logged, and never in what the system shows of a program that runs.
 */

/** By kind of place (core/backups-spec.ts). */
export type RepositoryCredentials =
  | {
      readonly kind: 's3';
      readonly key: string;
      readonly keySecret: string;
      /** Of temporary credentials. */
      readonly token?: string | undefined;
    }
  | { readonly kind: 'azure'; readonly keyType: 'shared' | 'sas'; readonly key: string }
  /** `serviceKey`: the JSON of the service account's key, as Google gives it. */
  | { readonly kind: 'gcs'; readonly serviceKey: string }
  /** In OpenSSH's or PEM form, without a passphrase. */
  | { readonly kind: 'sftp'; readonly privateKey: string }
  /** A directory. */
  | { readonly kind: 'none' };

export interface RepositorySecret {
  readonly passphrase: string;
  readonly credentials: RepositoryCredentials;
}
