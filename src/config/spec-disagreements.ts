/** Whether a complete spec is one that the loader could have made: for specs that didn't come from a file. */
import { isDeepStrictEqual } from 'node:util';
import type { Spec } from '../core/spec.ts';
import { parseClusterText } from './load.ts';
import { renderClusterFile } from './render.ts';

/**
 * Every rule of the cluster file that the spec breaks, as `path: what is wrong. What would be right`; empty when there
 * is none. Also refused is a spec that would be read back as another one, such as one with a short name of a node
 * where the full name must stand. Never throws.
 */
export function specDisagreements(spec: Spec): readonly string[] {
  const loaded = parseClusterText(renderClusterFile(spec), 'spec');
  if (!loaded.ok) return loaded.issues.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
  const different = Object.entries(loaded.spec).flatMap(([key, value]) =>
    isDeepStrictEqual(value, Reflect.get(spec, key)) ? [] : [key],
  );
  return different.map((key) => `${key}: is not in its complete form. The form that a loaded cluster file has`);
}
