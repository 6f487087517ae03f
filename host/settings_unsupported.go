package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
)

// tykSettings are settings of Tyk's that restrict or protect, and that this gateway does
// not implement. Those that say who may connect, or to what, keep it from starting:
// without them it would be open. The others are named in one warning.
type tykSettings struct {
	ControlAPIPort     int    `json:"control_api_port" env:"CONTROLAPIPORT" start:"no"`
	ControlAPIHostname string `json:"control_api_hostname" env:"CONTROLAPIHOSTNAME" start:"no"`
	Security           struct {
		ControlAPIUseMutualTLS bool `json:"control_api_use_mutual_tls" env:"CONTROLAPIUSEMUTUALTLS" start:"no"`
	} `json:"security" envPrefix:"SECURITY_"`
	HTTPServer struct {
		UseSSL             bool  `json:"use_ssl" env:"USESSL" start:"no"`
		MaxRequestBodySize int64 `json:"max_request_body_size" env:"MAXREQUESTBODYSIZE"`
	} `json:"http_server_options" envPrefix:"HTTPSERVEROPTIONS_"`
	Storage struct {
		UseSSL        bool     `json:"use_ssl" env:"USESSL" start:"no"`
		EnableCluster bool     `json:"enable_cluster" env:"ENABLECLUSTER" start:"no"`
		MasterName    string   `json:"master_name" env:"MASTERNAME" start:"no"`
		Addrs         []string `json:"addrs" env:"ADDRS" start:"no"`
	} `json:"storage" envPrefix:"STORAGE_"`
	Policies struct {
		Path string `json:"policy_path" env:"POLICYPATH"`
	} `json:"policies" envPrefix:"POLICIES_"`
	UseDBAppConfigs            bool   `json:"use_db_app_configs" env:"USEDBAPPCONFIGS"`
	EnforceOrgQuotas           bool   `json:"enforce_org_quotas" env:"ENFORCEORGQUOTAS"`
	EnforceOrgDataAge          bool   `json:"enforce_org_data_age" env:"ENFORCEORGDATAAGE"`
	ForceGlobalSessionLifetime bool   `json:"force_global_session_lifetime" env:"FORCEGLOBALSESSIONLIFETIME"`
	HashKeys                   bool   `json:"hash_keys" env:"HASHKEYS"`
	IgnoreEndpointCase         bool   `json:"ignore_endpoint_case" env:"IGNOREENDPOINTCASE"`
	ProxySSLMinVersion         uint16 `json:"proxy_ssl_min_version" env:"PROXYSSLMINVERSION"`
	SSLForceCommonNameCheck    bool   `json:"ssl_force_common_name_check" env:"SSLFORCECOMMONNAMECHECK"`
}

// othersOfCoprocess are settings in coprocess_options that Tyk has and that say nothing
// here: they are for plugins in other processes.
var othersOfCoprocess = []string{
	"coprocess_grpc_server", "grpc_recv_max_size", "grpc_send_max_size", "grpc_authority",
	"grpc_round_robin_load_balancing",
}

// checkUnsupported refuses settings whose absence would open the gateway, and returns
// the names of those that it leaves out.
func checkUnsupported(data []byte) (ignored []string, err error) {
	u := &tykSettings{}
	if err := json.Unmarshal(data, u); err != nil {
		return nil, err
	}
	if err := parseEnvironment(u); err != nil {
		return nil, err
	}
	refused := u.find(reflect.ValueOf(*u), "", &ignored)
	if len(refused) > 0 {
		return nil, fmt.Errorf("%s: this gateway does not implement it and would be open without it: "+
			"take it out of the settings, or use Tyk", strings.Join(refused, ", "))
	}
	var sections struct {
		Coprocess map[string]any `json:"coprocess_options"`
	}
	if err := json.Unmarshal(data, &sections); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(sections.Coprocess)) {
		field, _ := member(reflect.TypeFor[CoprocessSettings](), name)
		if field == nil && !slices.Contains(othersOfCoprocess, strings.ToLower(name)) {
			ignored = append(ignored, "coprocess_options."+name)
		}
	}
	return ignored, nil
}

// find returns the names of the settings that are on and keep the gateway from starting;
// the others that are on are added to ignored.
func (u *tykSettings) find(section reflect.Value, prefix string, ignored *[]string) (refused []string) {
	for i := range section.NumField() {
		field, value := section.Type().Field(i), section.Field(i)
		name := prefix + field.Tag.Get("json")
		switch {
		case value.Kind() == reflect.Struct:
			refused = append(refused, u.find(value, name+".", ignored)...)
		case value.IsZero() || value.Kind() == reflect.Slice && value.Len() == 0:
		case field.Tag.Get("start") == "no":
			refused = append(refused, name)
		default:
			*ignored = append(*ignored, name)
		}
	}
	return refused
}

const environmentPrefix = "TYK_GW_"

// parseEnvironment sets what the environment has; an error names the variable.
func parseEnvironment(into any) error {
	err := env.ParseWithOptions(into, env.Options{Prefix: environmentPrefix})
	if err == nil {
		return nil
	}
	fields, listing := env.GetFieldParamsWithOptions(into, env.Options{Prefix: environmentPrefix})
	if listing != nil {
		return errors.Join(err, listing)
	}
	all := env.ToMap(os.Environ())
	for _, field := range fields {
		value, set := all[field.Key]
		if !set || value == "" {
			continue
		}
		alone := reflect.New(reflect.TypeOf(into).Elem()).Interface()
		if env.ParseWithOptions(alone, env.Options{Prefix: environmentPrefix, Environment: map[string]string{field.Key: value}}) != nil {
			return fmt.Errorf("environment variable %s: its value is not of the right type", field.Key)
		}
	}
	return fmt.Errorf("settings from the environment: %w", err)
}
