package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/ignore"
	"sluice.dev/renderers/guest"
)

// loadChart loads the chart of a folder with its dependencies: those in `charts/`, and else those that `Chart.yaml` names, from the folder
// beside it that they name, or from the host.
func loadChart(tree *guest.Tree, folder string) (*chart.Chart, error) {
	loaded, err := loadFolder(tree, folder)
	if err != nil {
		return nil, err
	}
	// One chart may be there in two versions, under two aliases; if `charts/` has any of that name, Helm looks no further.
	beside := map[string]bool{}
	for _, dependency := range loaded.Dependencies() {
		beside[dependency.Name()] = true
	}
	for _, dependency := range loaded.Metadata.Dependencies {
		if dependency == nil || beside[dependency.Name] {
			continue
		}
		found, err := fetchDependency(tree, folder, loaded, dependency)
		if err != nil {
			return nil, err
		}
		if found != nil && !hasDependency(loaded, found) {
			loaded.AddDependency(found)
		}
	}
	return loaded, nil
}

// loadFolder loads the chart of a folder as Helm does: without what `.helmignore` names.
func loadFolder(tree *guest.Tree, folder string) (*chart.Chart, error) {
	names := tree.Below(folder)
	files, err := notIgnored(tree, folder, names)
	if err != nil {
		return nil, err
	}
	loaded, err := loader.LoadFiles(files)
	if err != nil {
		return nil, chartProblem(folder, err)
	}
	return loaded, supported(loaded, path.Join(folder, "Chart.yaml"))
}

// supported refuses charts of an `apiVersion` that Helm does not install.
func supported(loaded *chart.Chart, file string) error {
	switch loaded.Metadata.APIVersion {
	case chart.APIVersionV1, chart.APIVersionV2:
		return nil
	default:
		return &guest.Problem{
			Code: "chart", Message: fmt.Sprintf("charts of apiVersion %q are not supported", loaded.Metadata.APIVersion), File: file,
			Hint: "there are `v1` and `v2`",
		}
	}
}

func notIgnored(tree *guest.Tree, folder string, names []string) ([]*archive.BufferedFile, error) {
	rules := ignore.Empty()
	if content, found := tree.Read(path.Join(folder, ignore.HelmIgnore)); found {
		parsed, err := ignore.Parse(bytes.NewReader(content))
		if err != nil {
			return nil, &guest.Problem{Code: "chart", Message: err.Error(), File: path.Join(folder, ignore.HelmIgnore)}
		}
		rules = parsed
	}
	rules.AddDefaults()

	files := make([]*archive.BufferedFile, 0, len(names))
	judged := map[string]bool{}
	var total int64
	for _, name := range names {
		inside := strings.TrimPrefix(strings.TrimPrefix(name, folder), "/")
		if isIgnored(rules, inside, judged) {
			continue
		}
		content := tree.Content(name)
		if total += int64(len(content)); total > archive.MaxDecompressedChartSize {
			return nil, &guest.Problem{
				Code:    "too-large",
				Message: fmt.Sprintf("the chart has more than %d bytes", archive.MaxDecompressedChartSize),
				File:    folder,
			}
		}
		files = append(files, &archive.BufferedFile{Name: inside, Data: bytes.TrimPrefix(content, []byte("\xEF\xBB\xBF"))})
	}
	// As a walk through folders comes by them: what is in `a/` before `a-b/`.
	sort.SliceStable(files, func(i, j int) bool {
		return strings.ReplaceAll(files[i].Name, "/", "\x00") < strings.ReplaceAll(files[j].Name, "/", "\x00")
	})
	return files, nil
}

// isIgnored judges a file and the folders that it is in.
func isIgnored(rules *ignore.Rules, name string, judged map[string]bool) bool {
	if folder := path.Dir(name); folder != "." {
		ignored, known := judged[folder]
		if !known {
			ignored = isIgnored(rules, folder, judged) || rules.Ignore(folder, entry{folder, true})
			judged[folder] = ignored
		}
		if ignored {
			return true
		}
	}
	return rules.Ignore(name, entry{name, false})
}

// entry is what the rules ask of a file.
type entry struct {
	name     string
	isFolder bool
}

func (e entry) Name() string       { return path.Base(e.name) }
func (e entry) IsDir() bool        { return e.isFolder }
func (e entry) Size() int64        { return 0 }
func (e entry) ModTime() time.Time { return time.Time{} }
func (e entry) Sys() any           { return nil }
func (e entry) Mode() fs.FileMode {
	if e.isFolder {
		return fs.ModeDir
	}
	return 0
}

func hasDependency(loaded, found *chart.Chart) bool {
	for _, dependency := range loaded.Dependencies() {
		if dependency.Name() == found.Name() && dependency.Metadata.Version == found.Metadata.Version {
			return true
		}
	}
	return false
}

// fetchDependency gets what `helm dependency build` would get. None: it has to be handed over first.
func fetchDependency(tree *guest.Tree, folder string, parent *chart.Chart, dependency *chart.Dependency) (*chart.Chart, error) {
	place := path.Join(folder, "Chart.yaml")
	switch {
	case dependency.Repository == "":
		return nil, &guest.Problem{
			Code:    "dependency",
			Message: "found in Chart.yaml, but missing in charts/ directory: " + dependency.Name,
			File:    place,
			Hint:    "a dependency without `repository` has to be in `charts/`",
		}
	case strings.HasPrefix(dependency.Repository, "file://"):
		beside, err := guest.Resolve(folder, strings.TrimPrefix(dependency.Repository, "file://"))
		if err != nil {
			return nil, &guest.Problem{Code: "path", Message: err.Error(), File: place}
		}
		if !tree.IsFolder(beside) {
			return nil, absent(tree, dependency, place, "there is no chart in `"+beside+"`")
		}
		found, err := loadFolder(tree, beside)
		if err != nil {
			return nil, err
		}
		return found, satisfies(found, dependency, place)
	default:
		version, err := locked(parent, dependency, place)
		if err != nil {
			return nil, err
		}
		wanted, err := json.Marshal(map[string]string{
			"name": dependency.Name, "repository": dependency.Repository, "version": version,
		})
		if err != nil {
			return nil, err
		}
		supply, supplied := tree.Supplied(guest.Need{Kind: guest.NeedChart, Text: string(wanted)})
		if !supplied {
			return nil, nil
		}
		return loadSupply(tree, supply, dependency, place)
	}
}

// absent is the problem of a dependency that is not there, unless it is only not there yet.
func absent(tree *guest.Tree, dependency *chart.Dependency, place, why string) error {
	if tree.Needy() {
		return nil
	}
	return &guest.Problem{Code: "dependency", Message: "dependency `" + dependency.Name + "`: " + why, File: place}
}

func loadSupply(tree *guest.Tree, supply guest.Supply, dependency *chart.Dependency, place string) (*chart.Chart, error) {
	if len(supply.Files) == 0 {
		return nil, absent(tree, dependency, place, "it could not be fetched")
	}
	if len(supply.Files) == 1 && strings.HasSuffix(supply.Files[0].Path, ".tgz") {
		found, err := loader.LoadArchive(bytes.NewReader(supply.Files[0].Content))
		if err != nil {
			return nil, chartProblem(supply.Files[0].Path, err)
		}
		return found, nil
	}
	return loadFolder(tree, supply.Path)
}

// satisfies compares what lies beside a chart with the version that the chart asks for.
func satisfies(found *chart.Chart, dependency *chart.Dependency, place string) error {
	inRange, err := allows(dependency, found.Metadata.Version, place)
	if err != nil {
		return err
	}
	if !inRange {
		return &guest.Problem{
			Code: "dependency", File: place,
			Message: fmt.Sprintf("dependency `%s` at version %s does not satisfy the constraint %s",
				dependency.Name, found.Metadata.Version, dependency.Version),
		}
	}
	return nil
}

// allows tells whether a version is one that a dependency asks for.
func allows(dependency *chart.Dependency, version, place string) (bool, error) {
	constraint, err := semver.NewConstraint(dependency.Version)
	if err != nil {
		return false, &guest.Problem{
			Code: "dependency", File: place,
			Message: fmt.Sprintf("dependency `%s`: %q is no range of versions", dependency.Name, dependency.Version),
		}
	}
	parsed, err := semver.NewVersion(version)
	return err == nil && constraint.Check(parsed), nil
}

// locked is the version that `Chart.lock` has for a dependency, or else the range that `Chart.yaml` has. A lock that has none which the
// range allows is out of date, and Helm refuses it too.
func locked(parent *chart.Chart, dependency *chart.Dependency, place string) (string, error) {
	if parent.Lock == nil {
		return dependency.Version, nil
	}
	for _, lock := range parent.Lock.Dependencies {
		if lock == nil || lock.Name != dependency.Name || lock.Repository != dependency.Repository {
			continue
		}
		inRange, err := allows(dependency, lock.Version, place)
		if err != nil || inRange {
			return lock.Version, err
		}
	}
	return "", &guest.Problem{
		Code: "dependency", File: place,
		Message: "dependency `" + dependency.Name + "`: Chart.lock is out of sync with Chart.yaml",
		Hint:    "run `helm dependency update`, and commit the lock",
	}
}

func chartProblem(folder string, err error) error {
	problem := guest.Problem{Code: "chart", Message: err.Error(), File: folder}
	if !strings.Contains(err.Error(), "subchart") {
		problem.File = path.Join(folder, "Chart.yaml")
	}
	for _, file := range []string{"values.yaml", "Chart.lock", "requirements.yaml", "requirements.lock"} {
		if strings.Contains(err.Error(), "cannot load "+file) {
			problem.File = path.Join(folder, file)
			problem.Line = guest.LineOf(err.Error())
		}
	}
	return &problem
}
