/*
 * Does what a Jenkinsfile says, without Jenkins; of the declarative language it knows what ours uses,
 * and refuses all else.
 *
 *     pipeline.groovy check FILE...               is each well-formed? one line for each
 *     pipeline.groovy list FILE                   its parameters and steps, whatever the conditions
 *     pipeline.groovy run FILE [NAME=VALUE...]    run it, with these parameters; BRANCH is the branch,
 *                                                 STAGES the only ones to run, with commas
 */

class Refused extends RuntimeException {
    Refused(String reason) { super(reason) }
}

/** A block of the file: it answers to the words that may stand in it, each at most once. */
class Block implements GroovyInterceptable {
    final String place
    final Map<String, Closure> words
    final Set<String> once = []

    Block(String place, Map<String, Closure> words) {
        this.place = place
        this.words = words
    }

    def invokeMethod(String name, given) {
        def word = words[name]
        if (!word) { throw new Refused("${place}: there is no ${name}") }
        def arguments = given as List
        def types = word.parameterTypes
        def fits = arguments.size() == types.size() &&
            (0..<types.size()).every { index -> types[index].isInstance(arguments[index]) }
        if (!fits) { throw new Refused("${place}: ${name} is given ${arguments*.class*.simpleName}") }
        return word(*arguments)
    }

    def getProperty(String name) {
        if (name == 'params' && words.params) { return words.params() }
        throw new Refused("${place}: there is no ${name}")
    }

    void setProperty(String name, value) { throw new Refused("${place}: ${name} cannot be set here") }
}

/** Parameters by name: one that is not declared is an error. */
class Parameters {
    final Map<String, Object> values = [:]

    def getProperty(String name) {
        if (name == 'values') { return this.@values }
        if (!this.@values.containsKey(name)) { throw new Refused("there is no parameter ${name}") }
        return this.@values[name]
    }
}

class Stage {
    String name
    List<Closure> conditions = []
    List<Closure> steps = []
}

class Pipeline {
    final Map<String, String> given
    final String branch
    final List<String> chosen
    final Parameters parameters = new Parameters()
    final List<Stage> stages = []
    final Map<String, List<Closure>> afterwards = [:]

    Pipeline(Map<String, String> given) {
        this.given = given.findAll { !(it.key in ['BRANCH', 'STAGES']) }
        this.branch = given.BRANCH ?: 'main'
        this.chosen = (given.STAGES ?: '').split(',').findAll()
    }

    void read(File file) {
        def words = [pipeline: { Closure body -> readPipeline(body) }]
        def script = new GroovyShell().parse("{ -> ${file.text}\n}" as String).run() as Closure
        within('the file', words, script)
        if (!stages) { throw new Refused('there is no stage') }
        def absent = chosen - stages*.name
        if (absent) { throw new Refused("there is no stage ${absent.join(', ')}") }
        def unknown = given.keySet() - parameters.values.keySet()
        if (unknown) { throw new Refused("there is no parameter ${unknown.join(', ')}") }
    }

    void readPipeline(Closure body) {
        def seen = []
        def section = { String name, Closure reader -> { Closure inner -> seen << name; reader(inner) } }
        within('pipeline', [
            agent: section('agent') { within('agent', [label: { String name -> }], it) },
            options: section('options') { readOptions(it) },
            parameters: section('parameters') { readParameters(it) },
            stages: section('stages') {
                within('stages', [stage: { String name, Closure inner -> readStage(name, inner) }], it)
            },
            post: section('post') { readPost(it) },
        ], body)
        if (!seen.containsAll(['agent', 'stages'])) { throw new Refused('pipeline: needs agent and stages') }
        if (seen.unique(false) != seen) { throw new Refused('pipeline: a section is there twice') }
    }

    void readOptions(Closure body) {
        within('options', [
            disableConcurrentBuilds: { -> },
            timeout: { Map words ->
                named('timeout', words, [time: Integer, unit: String])
                if (!(words.unit in ['SECONDS', 'MINUTES', 'HOURS'])) { throw new Refused("no unit: ${words.unit}") }
            },
            logRotator: { Map words -> named('logRotator', words, [numToKeepStr: String]); 'rotator' },
            buildDiscarder: { String rotator -> },
        ], body)
    }

    void readParameters(Closure body) {
        def declare = { String kind, Class type ->
            { Map words ->
                named(kind, words, [name: String, defaultValue: type, description: String])
                def value = given.getOrDefault(words.name, "${words.defaultValue}" as String)
                parameters.values[words.name] = type == Boolean ? value == 'true' : value
            }
        }
        def words = [string: declare('string', String), booleanParam: declare('booleanParam', Boolean)]
        within('parameters', words, body)
    }

    void readStage(String name, Closure body) {
        def stage = new Stage(name: name)
        if (stages*.name.contains(name)) { throw new Refused("stage ${name} is there twice") }
        within("stage ${name}", [
            when: { Closure inner -> stage.conditions << inner },
            steps: { Closure inner -> stage.steps << inner },
        ], body)
        if (stage.steps.size() != 1) { throw new Refused("stage ${name}: needs steps, once") }
        stages << stage
    }

    void readPost(Closure body) {
        def words = ['always', 'success', 'failure', 'cleanup'].collectEntries { name ->
            [name, { Closure inner -> afterwards.get(name, []) << inner }]
        }
        within('post', words, body)
    }

    /** Return whether all that stands in the condition holds; all of it is looked at. */
    boolean holds(String place, Closure condition) {
        def found = []
        within(place, [
            branch: { String name -> found << (branch == name) },
            expression: { Closure inner ->
                found << (within("${place}, expression", [params: { -> parameters }], inner) as boolean)
            },
            not: { Closure inner -> found << !holds("${place}, not", inner) },
            allOf: { Closure inner -> found << holds("${place}, allOf", inner) },
        ], condition)
        if (!found) { throw new Refused("${place}: is empty") }
        return found.every()
    }

    boolean wanted(Stage stage) { stage.conditions.every { holds("when of ${stage.name}", it) } }

    void perform(String place, Closure steps, Closure shell) {
        def done = 0
        within(place, [
            sh: { String command -> done++; shell(command) },
            archiveArtifacts: { Map words ->
                done++
                named('archiveArtifacts', words,
                      [artifacts: String, allowEmptyArchive: Boolean, fingerprint: Boolean])
            },
        ], steps)
        if (!done) { throw new Refused("${place}: there is no step") }
    }

    /** Look at all of it, whatever the conditions, and return the commands. */
    List<String> list() {
        def commands = []
        stages.each { stage ->
            wanted(stage)
            stage.steps.each { perform("steps of ${stage.name}", it) { commands << it } }
        }
        afterwards.each { name, blocks -> blocks.each { perform(name, it) { commands << it } } }
        return commands
    }

    /** Run it. Returns whether every command went well; none follows one that did not. */
    boolean run() {
        def good = true
        def shell = { String command ->
            if (good) {
                println "+ ${command}"
                def builder = new ProcessBuilder('sh', '-e', '-c', command).inheritIO()
                parameters.values.each { name, value -> builder.environment()[name] = "${value}" as String }
                builder.environment().BRANCH_NAME = branch
                good = builder.start().waitFor() == 0
            }
        }
        stages.each { stage ->
            if (chosen && !(stage.name in chosen)) { return }
            def skipped = !good ? 'after a failure' : wanted(stage) ? '' : 'by its condition'
            println "== ${stage.name}${skipped ? ": skipped ${skipped}" : ''}"
            if (!skipped) { stage.steps.each { perform("steps of ${stage.name}", it, shell) } }
        }
        def verdict = good
        ['always', verdict ? 'success' : 'failure', 'cleanup'].each { name ->
            (afterwards[name] ?: []).each { good = true; perform(name, it, shell); verdict &= good }
        }
        println verdict ? '== SUCCESS' : '== FAILURE'
        return verdict
    }

    static within(String place, Map<String, Closure> words, Closure body) {
        body.delegate = new Block(place, words)
        body.resolveStrategy = Closure.DELEGATE_ONLY
        return body()
    }

    static void named(String word, Map given, Map<String, Class> known) {
        given.each { name, value ->
            if (!known[name]) { throw new Refused("${word}: there is no ${name}") }
            if (!known[name].isInstance(value)) { throw new Refused("${word}: ${name} is no ${known[name].simpleName}") }
        }
        def missing = known.keySet() - given.keySet()
        if (missing) { throw new Refused("${word}: needs ${missing.join(', ')}") }
    }
}

def complaint = { String path ->
    try {
        def pipeline = new Pipeline([:])
        pipeline.read(new File(path))
        pipeline.list()
        // What stands behind a && is only looked at once what stands before it holds.
        pipeline.parameters.values.keySet().each { pipeline.parameters.values[it] = 'given' }
        pipeline.list()
        return null
    } catch (Refused | org.codehaus.groovy.control.CompilationFailedException | MissingMethodException |
             MissingPropertyException error) {
        return error.message.readLines().findAll().join(' ')
    }
}

def (mode, files) = [args ? args[0] : '', args.drop(1) as List]
if (mode == 'check') {
    def found = files.collectEntries { [it, complaint(it)] }
    found.each { path, reason -> println "${path}: ${reason ?: 'ok'}" }
    System.exit(found.values().any() ? 1 : 0)
} else if (mode in ['list', 'run'] && files) {
    def reason = complaint(files[0])
    if (reason) { System.err.println "${files[0]}: ${reason}"; System.exit(1) }
    def pipeline = new Pipeline(files.drop(1).collectEntries { it.split('=', 2) as List })
    pipeline.read(new File(files[0]))
    if (mode == 'run') { System.exit(pipeline.run() ? 0 : 1) }
    pipeline.parameters.values.keySet().each { println "parameter ${it}" }
    pipeline.list().each { println "sh ${it}" }
} else {
    System.err.println 'pipeline.groovy check FILE... | list FILE | run FILE [NAME=VALUE...]'
    System.exit(2)
}
