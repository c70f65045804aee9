// Makes a ConfigMap of each `NAME.env` file of a folder, the files that Docker and many frameworks read: a line for each `NAME=VALUE`.
//
// Parameters: `prefix` (a string) comes before every name, `labels` (a map) are set on every object.
#include "abi.h"

#define LITERAL(text) {text, sizeof(text) - 1}
#define TEXT(literal) ((struct text)LITERAL(literal))

static bool equal(struct text a, struct text b) {
    return a.length == b.length && __builtin_memcmp(a.at, b.at, a.length) == 0;
}

int memcmp(const void *a, const void *b, size_t length) {
    const unsigned char *x = a, *y = b;
    for (size_t i = 0; i < length; i++)
        if (x[i] != y[i]) return x[i] < y[i] ? -1 : 1;
    return 0;
}

// --- Text that grows ------------------------------------------------------------------------------------------------------------------

struct writer {
    char *at;
    size_t length, room;
};

static void put(struct writer *out, struct text text) {
    if (text.length > out->room - out->length) {
        size_t room = (out->length + text.length) * 2;
        char *at = fresh(room);
        __builtin_memcpy(at, out->at, out->length);
        out->at = at;
        out->room = room;
    }
    __builtin_memcpy(out->at + out->length, text.at, text.length);
    out->length += text.length;
}

static struct text written(struct writer out) {
    return (struct text){out.at, out.length};
}

// Puts text as it stands within the quotes of JSON, and so of YAML.
static void put_escaped(struct writer *out, struct text text) {
    for (size_t i = 0; i < text.length; i++) {
        unsigned char letter = text.at[i];
        if (letter == '"' || letter == '\\') put(out, TEXT("\\"));
        if (letter >= 0x20 && letter != 0x7f) {
            put(out, (struct text){text.at + i, 1});
        } else {
            char code[] = {'\\', 'u', '0', '0', "0123456789abcdef"[letter >> 4], "0123456789abcdef"[letter & 15]};
            put(out, (struct text){code, sizeof code});
        }
    }
}

// --- The settings, which are JSON -----------------------------------------------------------------------------------------------------

// Takes the value that the text begins with from it, and what comes between it and the next.
static struct text take(struct text *json) {
    size_t depth = 0, i = 0;
    bool is_quoted = false;
    for (; i < json->length; i++) {
        char letter = json->at[i];
        if (is_quoted) {
            if (letter == '\\') i++;
            if (letter == '"') is_quoted = false;
            continue;
        }
        bool is_end = letter == '}' || letter == ']';
        if (depth == 0 && (is_end || letter == ',' || letter == ':')) break;
        if (letter == '"') is_quoted = true;
        if (letter == '{' || letter == '[') depth++;
        if (is_end) depth--;
    }
    struct text value = {json->at, i};
    size_t gone = i < json->length ? i + 1 : i;
    *json = (struct text){json->at + gone, json->length - gone};
    return value;
}

// What is between the brackets or quotes of a value.
static struct text inner(struct text value) {
    if (value.length < 2) return (struct text){value.at, 0};
    return (struct text){value.at + 1, value.length - 2};
}

// The member of an object; empty if it has none of that name.
static struct text member(struct text object, struct text name) {
    struct text rest = inner(object);
    while (rest.length > 0) {
        struct text key = take(&rest), value = take(&rest);
        if (equal(inner(key), name)) return value;
    }
    return (struct text){object.at, 0};
}

// --- Problems -------------------------------------------------------------------------------------------------------------------------

enum { MOST_PROBLEMS = 100 };

static struct problem problems[MOST_PROBLEMS];
static size_t problem_count = 0;

static void complain(struct text code, struct text message, struct text file, uint32_t line, struct text hint) {
    if (problem_count == MOST_PROBLEMS) return;
    problems[problem_count++] = (struct problem){
        .code = code,
        .message = message,
        .file = {file.length > 0, file},
        .line = {line > 0, line},
        .hint = {hint.length > 0, hint},
    };
}

// --- Rendering ------------------------------------------------------------------------------------------------------------------------

static bool is_utf8(struct text text) {
    for (size_t i = 0; i < text.length;) {
        unsigned char first = text.at[i++];
        size_t more = first < 0x80 ? 0 : first < 0xc2 ? 4 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : 4;
        if (more == 4 || more > text.length - i) return false;
        unsigned char second = more > 0 ? text.at[i] : 0;
        if (first == 0xe0 && second < 0xa0) return false;
        if (first == 0xed && second > 0x9f) return false;
        if (first == 0xf0 && second < 0x90) return false;
        if (first == 0xf4 && second > 0x8f) return false;
        for (; more > 0; more--)
            if (((unsigned char)text.at[i++] & 0xc0) != 0x80) return false;
    }
    return true;
}

// `name` of `folder/name.env`; empty for files of other names.
static struct text stem(struct text path) {
    const struct text ending = TEXT(".env");
    size_t start = path.length;
    while (start > 0 && path.at[start - 1] != '/') start--;
    struct text name = {path.at + start, path.length - start};
    if (name.length <= ending.length) return (struct text){path.at, 0};
    name.length -= ending.length;
    struct text end = {name.at + name.length, ending.length};
    return equal(end, ending) ? name : (struct text){path.at, 0};
}

static bool is_key(struct text key) {
    for (size_t i = 0; i < key.length; i++) {
        char letter = key.at[i];
        bool is_letter = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || letter == '_';
        if (!is_letter && (i == 0 || letter < '0' || letter > '9')) return false;
    }
    return key.length > 0;
}

// Writes the lines of a file as the `data` of a ConfigMap.
static void put_data(struct writer *out, struct file file) {
    struct text rest = file.content;
    for (uint32_t number = 1; rest.length > 0; number++) {
        struct text line = {rest.at, 0};
        while (line.length < rest.length && rest.at[line.length] != '\n') line.length++;
        size_t gone = line.length < rest.length ? line.length + 1 : line.length;
        rest = (struct text){rest.at + gone, rest.length - gone};
        if (line.length > 0 && line.at[line.length - 1] == '\r') line.length--;
        if (line.length == 0 || line.at[0] == '#') continue;
        struct text key = {line.at, 0};
        while (key.length < line.length && line.at[key.length] != '=') key.length++;
        if (key.length == line.length || !is_key(key)) {
            complain(TEXT("line"), TEXT("the line is no `NAME=VALUE`"), file.path, number,
                     TEXT("begin it with a name of letters, digits and `_`, or with `#` for a comment"));
            continue;
        }
        // Quoted, because YAML has a say on words such as `NO`.
        put(out, TEXT("  \""));
        put(out, key);
        put(out, TEXT("\": \""));
        put_escaped(out, (struct text){key.at + key.length + 1, line.length - key.length - 1});
        put(out, TEXT("\"\n"));
    }
}

// What the parameters come to.
struct settings {
    struct text prefix; // as within quotes
    struct text labels; // the lines of a map
};

static struct settings read_settings(struct text json) {
    struct settings settings = {TEXT(""), TEXT("")};
    struct text rest = inner(member(json, TEXT("parameters")));
    while (rest.length > 0) {
        struct text parameter = take(&rest);
        struct text name = inner(member(parameter, TEXT("name")));
        if (equal(name, TEXT("prefix"))) {
            settings.prefix = inner(member(parameter, TEXT("string")));
        } else if (equal(name, TEXT("labels"))) {
            struct writer out = {0};
            struct text labels = inner(member(parameter, TEXT("map")));
            while (labels.length > 0) {
                put(&out, TEXT("    "));
                put(&out, take(&labels));
                put(&out, TEXT(": "));
                put(&out, take(&labels));
                put(&out, TEXT("\n"));
            }
            settings.labels = written(out);
        } else {
            struct writer message = {0};
            put(&message, TEXT("there is no parameter `"));
            put(&message, name);
            put(&message, TEXT("`"));
            complain(TEXT("parameter"), written(message), TEXT(""), 0, TEXT("there are `prefix` and `labels`"));
        }
    }
    return settings;
}

static struct text config_map(struct settings settings, struct text name, struct file file) {
    struct writer out = {0};
    put(&out, TEXT("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: \""));
    put(&out, settings.prefix);
    put_escaped(&out, name);
    put(&out, TEXT("\"\n"));
    if (settings.labels.length > 0) {
        put(&out, TEXT("  labels:\n"));
        put(&out, settings.labels);
    }
    struct writer data = {0};
    put_data(&data, file);
    if (data.length > 0) put(&out, TEXT("data:\n"));
    put(&out, written(data));
    return written(out);
}

#define DESCRIPTION                                                                                                      \
    "{\"name\": \"renderer-dotenv\", \"version\": \"0.1.0\", \"kinds\": [\"dotenv\"], \"codes\": {"                      \
    "\"line\": \"a line is no NAME=VALUE\", \"parameter\": \"an unknown parameter\", \"text\": \"a file is no UTF-8\"}}"

DESCRIBE const struct text *describe(void) {
    static const struct text description = LITERAL(DESCRIPTION);
    return &description;
}

// The fields of the input come one by one: path, files, settings, context, and what was supplied to needs, of which there are none.
RENDER const struct outcome *render(const char *path, size_t path_length, struct file *files, size_t file_count, const char *settings_at,
                                    size_t settings_length, const char *context, size_t context_length, void *supplied,
                                    size_t supplied_count) {
    (void)context, (void)context_length, (void)supplied, (void)supplied_count;
    static struct outcome outcome;
    struct settings settings = read_settings((struct text){settings_at, settings_length});
    struct document *documents = fresh(file_count * sizeof *documents);
    size_t count = 0;
    for (size_t i = 0; i < file_count; i++) {
        struct text name = stem(files[i].path);
        if (name.length == 0) continue;
        if (!is_utf8(files[i].content)) {
            complain(TEXT("text"), TEXT("the file is no UTF-8 text"), files[i].path, 0, TEXT(""));
            continue;
        }
        documents[count++] = (struct document){config_map(settings, name, files[i]), files[i].path, 0};
    }
    if (problem_count > 0) {
        outcome = (struct outcome){.what = REFUSED, .problems = {problems, problem_count}};
        return &outcome;
    }
    // All names below the folder count: a new file is a new object.
    struct writer folder = {0};
    put(&folder, (struct text){path, path_length});
    if (path_length > 0) put(&folder, TEXT("/"));
    static struct text read;
    read = written(folder);
    outcome = (struct outcome){
        .what = RENDERED,
        .rendering = {.documents = {documents, count}, .read = {&read, 1}},
    };
    return &outcome;
}
