// Artillery requires an engine by its name and constructs it at once; the engine itself is a module and runs from source.
const engine = (async () => {
  const { register } = await import("tsx/esm/api");
  register();
  return await import("./src/compile-scenario.ts");
})();

module.exports = class SseEngine {
  constructor(script, _events, tools) {
    this.config = script.config;
    this.tools = tools;
  }

  createScenario(scenario, metrics) {
    const compiled = engine.then(({ compileScenario }) =>
      compileScenario({ scenario, metrics, config: this.config, tools: this.tools }),
    );
    // A mistake in the script fails each visit, and is not an unhandled rejection before the first.
    compiled.catch(() => {});
    return (context, done) => {
      metrics.emit("started");
      compiled
        .then((visit) => visit(context))
        .then(
          () => done(null, context),
          (error) => {
            metrics.emit("error", error.message);
            done(error, context);
          },
        );
    };
  }
};
