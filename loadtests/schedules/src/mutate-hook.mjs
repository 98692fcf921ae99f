let mutant;

export function initialize(data) {
  mutant = data;
}

export async function load(url, context, nextLoad) {
  const loaded = await nextLoad(url, context);
  if (!url.split("?")[0].endsWith(mutant.file) || url.includes("/dist/")) return loaded;
  const source = loaded.source.toString();
  if (source.split(mutant.from).length !== 2) {
    throw new Error(
      `${mutant.name}: its text stands ${source.split(mutant.from).length - 1} times in ${mutant.file}`,
    );
  }
  return { ...loaded, source: source.replace(mutant.from, () => mutant.to) };
}
