/**
 * What the roles of this product may do beside their rights: nothing (documentation 22.2). Pure.
 *
 * Invariant: roles that somebody else made keep what he gave them.
 */
import pg from 'pg';
import type { Item } from './item-plan.ts';
import { type Catalog, type CatalogRole, roleComments } from './role-catalog.ts';

const ours: ReadonlySet<string | null> = new Set(Object.values(roleComments));

export function isOurs({ comment }: CatalogRole): boolean {
  return ours.has(comment);
}

/** As people name it. */
export function attributesOf(role: string): string {
  return `attributes of ${role}`;
}

/** Logins alone may, and which of them is settled by itself (login-plan.ts). An application's door is shut by the next application of anything. */
function mayNotLogIn({ comment }: CatalogRole): boolean {
  return comment !== roleComments.login;
}

function given(role: CatalogRole): readonly string[] {
  return mayNotLogIn(role) && role.login ? ['LOGIN', ...role.attributes] : role.attributes;
}

/** Nobody declares any, so that a role without them is worth no record. */
export function attributeItems({ roles }: Catalog): readonly Item[] {
  return roles.filter(isOurs).map((role) => {
    const attributes = given(role);
    const without = attributes.map((attribute) => `NO${attribute}`).join(' ');
    return {
      database: '',
      item: attributesOf(role.name),
      name: attributesOf(role.name),
      declared: null,
      actual: attributes.length === 0 ? null : attributes.join(', '),
      isDefault: true,
      isUndeclarable: true,
      change: without === '' ? [] : [`ALTER ROLE ${pg.escapeIdentifier(role.name)} ${without}`],
    };
  });
}
