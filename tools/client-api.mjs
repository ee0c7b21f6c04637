/**
 * Writes packages/client/docs/api.md from the types: what each entry of the package exports, with its own words.
 *
 *   node tools/client-api.mjs          writes it
 *   node tools/client-api.mjs --check  fails when it is not what it would be now
 */
import { readFileSync, writeFileSync } from 'node:fs';
import ts from 'typescript';

const target = 'packages/client/docs/api.md';
const { exports: entries } = JSON.parse(readFileSync('packages/client/package.json', 'utf8'));
const files = Object.entries(entries).map(([entry, file]) => [entry, `packages/client/${file.slice(2)}`]);
const config = ts.readConfigFile('tsconfig.json', ts.sys.readFile).config;
const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, '.');
const program = ts.createProgram(
  files.map(([, file]) => file),
  options,
);
const checker = program.getTypeChecker();
const printer = ts.createPrinter({ removeComments: false });

/** Without bodies, private parts and what a reader of types does not need. */
function shortened(context) {
  const visit = (node) => {
    if (ts.isPropertyDeclaration(node) && ts.isPrivateIdentifier(node.name)) return undefined;
    if (ts.isMethodDeclaration(node) && ts.isPrivateIdentifier(node.name)) return undefined;
    if (ts.isMethodDeclaration(node) && overloads.has(node) && node.body !== undefined) return undefined;
    if (ts.isBlock(node)) return undefined;
    return ts.visitEachChild(node, visit, context);
  };
  return (root) => ts.visitNode(root, visit);
}

/** Implementations of methods that have overloads. */
const overloads = new Set();
function noteOverloads(declaration) {
  if (!ts.isClassDeclaration(declaration)) return;
  const methods = declaration.members.filter((member) => ts.isMethodDeclaration(member));
  for (const method of methods) {
    const isOverloaded = methods.some((other) => other !== method && other.name.getText() === method.name.getText());
    if (isOverloaded && method.body !== undefined) overloads.add(method);
  }
}

function textOf(declaration) {
  const node = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration;
  noteOverloads(node);
  const { transformed } = ts.transform(node, [shortened]);
  const text = printer.printNode(ts.EmitHint.Unspecified, transformed[0], node.getSourceFile());
  // A module's head stands before its first declaration; it is for who works on it.
  const ownWords = text.replace(/^\s*\/\*\*(?:(?!\*\/)[\s\S])*Invariant:[\s\S]*?\*\//, '');
  return ownWords.replace(/^export (?:declare )?/m, '').trim();
}

function section([entry, file]) {
  const symbol = checker.getSymbolAtLocation(program.getSourceFile(file));
  const found = checker.getExportsOfModule(symbol).map((each) => {
    const aliased = each.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(each) : each;
    const texts = aliased.getDeclarations().map(textOf);
    return { name: each.getName(), text: texts.join('\n') };
  });
  found.sort((a, b) => a.name.localeCompare(b.name));
  const name = `@understudy/client${entry.slice(1)}`;
  return `## \`${name}\`\n\n${found.map(({ name: title, text }) => `### ${title}\n\n\`\`\`ts\n${text}\n\`\`\``).join('\n\n')}\n`;
}

const text = `# What is exported\n\nMade from the types by \`tools/client-api.mjs\`.\n\n${files.map(section).join('\n')}`;
if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== text) {
    console.error(`${target} is not what the types say: node tools/client-api.mjs`);
    process.exitCode = 1;
  }
} else {
  writeFileSync(target, text);
}
